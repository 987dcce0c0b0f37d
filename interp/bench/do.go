package bench

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"qpipe/interp/command"
	"qpipe/ops/engine"
)

// Do performs the work that words name, as AboutWorker describes it, as often as in says.
func (l *Lab) Do(f WorkerFlags, words []string, pool *engine.Workers, in io.Reader, out io.Writer) (err error) {
	what, rest := words[0], words[1:]
	if n, ok := map[string]int{"train": 2, "infer": 1, "conv": 3, "peak": 1, "save": 2, "shapes": 0}[what]; !ok || len(rest) != n {
		return command.Wrong("bench-worker %s is not understood", strings.Join(words, " "))
	}
	var w *Work
	switch what {
	case "train":
		w, err = l.Training(rest[0], rest[1], cmp.Or(f.Batch, 64), pool)
	case "infer":
		w, err = l.Inference(rest[0], f.Form, max(f.Batch, 1), pool)
	case "conv":
		n, bad := strconv.Atoi(rest[2])
		if bad != nil {
			return command.Wrong("%q is not a number of images", rest[2])
		}
		w, err = l.Conv(pool, rest[0], rest[1], n)
	case "peak":
		best, err := l.Peak(rest[0], pool)
		if err == nil {
			_, err = fmt.Fprintln(out, best)
		}
		return err
	case "shapes":
		for _, s := range ConvShapes() {
			if _, err := fmt.Fprintln(out, s); err != nil {
				return err
			}
		}
		return nil
	default:
		s, err := l.Named(rest[0])
		if err != nil {
			return err
		}
		return s.Save(rest[1], pool)
	}
	if err != nil {
		return err
	}
	return w.Serve(in, out)
}
