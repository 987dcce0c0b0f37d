package bench

import (
	"bufio"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/console"
	"qpipe/ops/engine"
)

// Training is a training step of a network in a form.
func (l *Lab) Training(net, form string, batch int, pool *engine.Workers) (*Work, error) {
	s, err := l.Named(net)
	if err != nil {
		return nil, err
	}
	if _, err := s.Wanted([]string{form}); err != nil || !trains(form) {
		return nil, unknown("%s has no training step in the form %q", net, form)
	}
	g, err := s.graph(form, pool)
	if err != nil {
		return nil, err
	}
	return s.training(g, batch, pool)
}

// Inference is a forward pass of a network, of the int8 model or in float.
func (l *Lab) Inference(net, form string, batch int, pool *engine.Workers) (*Work, error) {
	s, err := l.Named(net)
	if err != nil {
		return nil, err
	}
	if !infers(form) {
		return nil, unknown("-form is int8 or float, not %q", form)
	}
	g, err := s.graph(form, pool)
	if err != nil {
		return nil, err
	}
	w, err := s.inference(g, batch, pool)
	if err == nil {
		w.net.Release()
	}
	return w, err
}

// Peak is the speed of the kernel set's fastest convolution as a line of text: f32 or int8.
func (l *Lab) Peak(kind string, pool *engine.Workers) (string, error) {
	k, ok := map[string]string{"f32": kindF32, "int8": kindU8S8U8}[kind]
	if !ok {
		return "", unknown("there is no peak %q; there are f32 and int8", kind)
	}
	best, err := l.peak(pool, k, time.Second)
	return fmt.Sprintf("%.4g G/s, %s: %s", best, console.Count(pool.Size(), "thread"), peakBy()), err
}

// Save writes the subject's int8 model to a file, to measure loading.
func (s *Subject) Save(path string, pool *engine.Workers) error {
	g, err := s.graph(Int8, pool)
	if err != nil {
		return err
	}
	return artifact.Write(path, &checkpoint.Snapshot{
		Stage: "bench", Form: g.Form(), Mode: g.Mode(), Structure: g.Structure(), Seed: 1,
		Kernels: s.lab.Kernels.Name, Model: g.Tensors(),
	})
}

// Serve runs the work as often as each line of the input asks, and answers how long that took.
func (w *Work) Serve(in io.Reader, out io.Writer) error {
	if err := w.run(); err != nil {
		return err
	}
	debug.FreeOSMemory()
	fmt.Fprintf(out, "ready items=%d flop=%.0f\n", w.items, w.flop)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 1 && words[0] == "quit" {
			return nil
		}
		if len(words) != 2 || words[0] != "run" {
			return unknown("%q is not understood; a worker takes \"run NUMBER\" and \"quit\"", lines.Text())
		}
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 {
			return unknown("%q is not a number of runs", words[1])
		}
		from := w.clock()
		for range n {
			if err := w.run(); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "ns %d\n", w.clock()-from)
	}
	return lines.Err()
}
