package predict

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"qpipe/infer"
	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/interp/event"
	"qpipe/lang/diag"
	"qpipe/lang/files"
)

// work is a prediction that is running.
type work struct {
	ctx  context.Context
	o    Options
	list diag.List

	model   *infer.Model
	outputs []infer.Output
	sources []source
	session *infer.Session
	opened  func() error    // waits for the session
	readers []*infer.Reader // one for each goroutine
	batch   int             // files at a time
	size    int             // bytes of an image
	pix     []uint8         // of a batch
	masks   *disk.Disk      // nil without masks
	found   []Prediction
	seconds float64
}

// Bounds of a batch.
const (
	mostBatch = 16
	mostPix   = 1 << 22 // bytes of all its images
)

// begin prepares the computation.
func (w *work) begin() (err error) {
	in := w.model.Inputs()[0]
	w.outputs, w.size = w.model.Outputs(), in.Height*in.Width*in.Channels
	w.batch = max(min(len(w.sources), mostBatch, mostPix/w.size), 1)
	need := int64(0)
	for ; ; w.batch /= 2 {
		if need, err = w.model.Memory(w.options()); err != nil {
			return err
		}
		if w.o.Memory <= 0 || need <= w.o.Memory || w.batch == 1 {
			break
		}
	}
	if w.o.Memory > 0 && need > w.o.Memory {
		return &artifact.FileError{Path: w.o.Model, Code: diag.TooMuchMemory, Err: fmt.Errorf("needs about %s of memory for one image, and this machine has %s", files.Size(need), files.Size(w.o.Memory))}
	}
	for range min(w.o.Threads, w.batch) {
		r, err := w.model.NewReader(0)
		if err != nil {
			return err
		}
		w.readers = append(w.readers, r)
	}
	w.pix = make([]uint8, w.batch*w.size)
	if w.o.Masks != "" {
		if err := os.MkdirAll(w.o.Masks, 0o755); err != nil {
			return unwritable(w.o.Masks, err)
		}
		if w.masks, err = disk.Open(w.o.Masks, disk.Options{}); err != nil {
			return unwritable(w.o.Masks, err)
		}
	}
	w.open()
	return nil
}

// open makes the session while the first images are decoded, which takes about as long.
func (w *work) open() {
	done := make(chan error, 1)
	go func() {
		var err error
		w.session, err = w.model.NewSession(w.options())
		done <- err
	}()
	w.opened = sync.OnceValue(func() error { return <-done })
}

// close ends the session, if there is one.
func (w *work) close() {
	if w.opened != nil && w.opened() == nil {
		w.session.Close()
	}
}

func unwritable(path string, err error) error {
	return &artifact.FileError{Path: path, Code: diag.Unwritable, Err: err}
}

func (w *work) options() infer.Options {
	return infer.Options{Batch: w.batch, Threads: w.o.Threads, Kernels: w.o.Kernels}
}

// all predicts for all files, a batch at a time.
func (w *work) all() error {
	if w.masks != nil {
		defer func() { _ = w.masks.Close() }()
	}
	w.found = make([]Prediction, 0, len(w.sources))
	began := w.o.Clock()
	for at := 0; at < len(w.sources); at += w.batch {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		some := w.sources[at:min(at+w.batch, len(w.sources))]
		list, err := w.some(some)
		if err != nil {
			return err
		}
		w.found = append(w.found, list...)
		for _, p := range list {
			if w.o.Each != nil {
				w.o.Each(p)
			}
		}
		w.tick(began)
	}
	return nil
}

// tick emits a progress event.
func (w *work) tick(began time.Time) {
	w.seconds = w.o.Clock().Sub(began).Seconds()
	if w.o.Events != nil && len(w.sources) > w.batch {
		w.o.Events(event.Event{Stage: "predict", Data: event.After("images", len(w.found), len(w.sources), w.seconds)})
	}
}

// some predicts for a batch.
func (w *work) some(list []source) ([]Prediction, error) {
	out, bad := make([]Prediction, len(list)), w.decode(list)
	n := 0
	for i := range list {
		if out[i].File = list[i].path; bad[i] == nil {
			copy(w.pix[n*w.size:][:w.size], w.pix[i*w.size:])
			n++
		}
	}
	if err := w.opened(); err != nil {
		return nil, err
	}
	var y [][]float32
	if n > 0 {
		var err error
		if y, err = w.session.RunPixels(w.pix[:n*w.size]); err != nil {
			return nil, err
		}
	}
	row := 0
	for i, s := range list {
		err := bad[i]
		if err == nil {
			out[i].Outputs, err = w.answers(s, y, row)
			row++
		}
		if err != nil {
			out[i].Error, out[i].Outputs = cause(err), nil
		}
	}
	return out, nil
}

// decode reads the files of a batch, each into its place, and returns what is wrong with them.
func (w *work) decode(list []source) []error {
	bad := make([]error, len(list))
	var next atomic.Int64
	read := func(r *infer.Reader) {
		for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
			data, err := list[i].open()
			var pix []uint8
			if err == nil {
				pix, err = r.Read(data)
			}
			bad[i] = wayOut(err)
			copy(w.pix[i*w.size:][:w.size], pix)
		}
	}
	var readers sync.WaitGroup
	for _, r := range w.readers[1:] {
		readers.Go(func() { read(r) })
	}
	read(w.readers[0])
	readers.Wait()
	return bad
}

// wayOut adds to an error about a size what can be done.
func wayOut(err error) error {
	if size, ok := err.(*infer.SizeError); ok { //nolint:errorlint // a Reader returns it as it is
		return fmt.Errorf("%w; -resize and -crop say how", size)
	}
	return err
}

// answers says what all outputs mean for the image in a row of the batch, and writes masks.
func (w *work) answers(s source, y [][]float32, row int) ([]Answer, error) {
	var list []Answer
	for k, out := range w.outputs {
		size := out.Height * out.Width * out.Channels
		a, mask, err := answer(out, y[k][row*size:][:size], w.o.Top)
		if err != nil {
			return nil, err
		}
		a.Output = w.named(k)
		if mask != nil && w.masks != nil {
			name := w.maskName(s, k)
			if err := write(w.masks, name, mask, out); err != nil {
				return nil, fmt.Errorf("its mask cannot be written: %w", err)
			}
			a.Mask = filepath.Join(w.o.Masks, filepath.FromSlash(name))
		}
		list = append(list, a)
	}
	return list, nil
}

// maskName is the name of a mask below the folder of masks.
func (w *work) maskName(s source, output int) string {
	stem := strings.TrimSuffix(s.rel, path.Ext(s.rel))
	if of := w.named(output); of != "" {
		stem += "." + strings.NewReplacer("/", "_", `\`, "_").Replace(of)
	}
	return stem + ".png"
}
