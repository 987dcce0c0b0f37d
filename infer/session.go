package infer

import (
	"errors"
	"fmt"

	"qpipe/interp/part"
	"qpipe/interp/prepare"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Options are the settings of a Session. None of them changes a result of an int8 model; the kernel set may change the
// last bits of float32 results.
type Options struct {
	Batch   int    // the most images of a call; 0: 1
	Threads int    // how many threads compute; 0: 1
	Kernels string // the kernel set, as `qpipe version` lists them; "": the fastest
}

// The largest settings.
const (
	MostBatch   = 1 << 16
	MostThreads = 1 << 10
)

// Session runs a model. Only one goroutine may use it at a time. Its memory is allocated when it is made: a call
// allocates nothing.
type Session struct {
	model   *Model
	net     *engine.Net
	workers *engine.Workers
	batch   int
	kernels string
	sizes   []int       // values of an image, by input
	x       [][]float32 // by input, room for pixels that become numbers; nil where mean and std are not known
	given   [][]float32
	closed  bool
}

// NewSession prepares computations. Close ends its threads.
func (m *Model) NewSession(o Options) (*Session, error) {
	o.Batch, o.Threads = max(o.Batch, 1), max(o.Threads, 1)
	if o.Batch > MostBatch || o.Threads > MostThreads {
		return nil, fmt.Errorf("a batch of %d on %s; %d and %d are the most", o.Batch, part.Count(o.Threads, "thread"), MostBatch, MostThreads)
	}
	set, err := sets.ByName(o.Kernels)
	if err != nil {
		return nil, err
	}
	g := m.graph
	if f := g.Form(); f == nn.Calibration || f == nn.QAT { // a pass notes the scales of their weights in them
		g = g.Clone()
	}
	workers := engine.NewWorkers(o.Threads)
	net, err := engine.Compile(g, o.Batch, false, set, workers)
	if err != nil {
		workers.Close()
		return nil, err
	}
	s := &Session{model: m, net: net, workers: workers, batch: o.Batch, kernels: set.Name, given: make([][]float32, len(m.inputs))}
	for k, in := range m.inputs {
		s.sizes = append(s.sizes, tensor.Shape{N: 1, H: in.Height, W: in.Width, C: in.Channels}.Len())
		s.x = append(s.x, nil)
		if m.scales[k] != nil {
			s.x[k] = make([]float32, o.Batch*s.sizes[k])
		}
	}
	return s, nil
}

// Memory returns about how many bytes a session with these options takes, besides the model itself.
func (m *Model) Memory(o Options) (int64, error) {
	set, err := sets.ByName(o.Kernels)
	if err != nil {
		return 0, err
	}
	batch := min(max(o.Batch, 1), MostBatch)
	need := engine.Need(m.graph, batch, engine.Use{Phase: engine.Eval, Set: set, Workers: max(o.Threads, 1)})
	for k, in := range m.inputs {
		if m.scales[k] != nil {
			need += 4 * int64(batch) * int64(in.Height*in.Width*in.Channels)
		}
	}
	if f := m.graph.Form(); f == nn.Calibration || f == nn.QAT {
		need += m.graph.Bytes()
	}
	return need, nil
}

// Close ends the session. It cannot be used after it.
func (s *Session) Close() {
	s.closed = true
	s.workers.Close()
}

// Kernels is the name of the kernel set.
func (s *Session) Kernels() string { return s.kernels }

// Run computes a batch: for each input of the network the values of all images, as the network gets them, after mean
// and std. It returns the values of each output, which are valid until the next call.
func (s *Session) Run(inputs ...[]float32) ([][]float32, error) {
	if len(inputs) != len(s.sizes) {
		return nil, s.miscounted(len(inputs))
	}
	n := 0
	for k, x := range inputs {
		if err := s.count(k, len(x), &n); err != nil {
			return nil, err
		}
		s.given[k] = x
	}
	return s.net.ForwardAll(s.given, n, engine.Eval), nil
}

// RunPixels computes a batch of images of bytes, to which it applies mean and std. It returns the values of each
// output, which are valid until the next call.
func (s *Session) RunPixels(inputs ...[]uint8) ([][]float32, error) {
	if len(inputs) != len(s.sizes) {
		return nil, s.miscounted(len(inputs))
	}
	n := 0
	for k, pix := range inputs {
		if err := s.count(k, len(pix), &n); err != nil {
			return nil, err
		}
		switch {
		case s.x[k] == nil:
			return nil, errUnknown
		case s.model.inputs[k].Numbers:
			return nil, fmt.Errorf("input %d consists of numbers, not of pixels", k)
		}
		s.given[k] = s.x[k][:len(pix)]
		s.model.scales[k].Spread(pix, nil, s.given[k])
	}
	return s.net.ForwardAll(s.given, n, engine.Eval), nil
}

// miscounted is the error about another number of inputs than the network has.
func (s *Session) miscounted(have int) error {
	return fmt.Errorf("%s, and the network has %d", part.Count(have, "input"), len(s.sizes))
}

// count finds out the number of images n, which must be the same for all inputs, from the values of input k.
func (s *Session) count(k, values int, n *int) error {
	size := s.sizes[k]
	switch images := values / size; {
	case s.closed:
		return errors.New("the session is closed")
	case values == 0 || values%size != 0:
		in := s.model.inputs[k]
		return fmt.Errorf("input %d has %s; an image has %d×%d×%d = %d", k, part.Count(values, "value"), in.Height, in.Width, in.Channels, size)
	case images > s.batch:
		return fmt.Errorf("input %d has %s; the session was made for %d", k, part.Count(images, "image"), s.batch)
	case k > 0 && images != *n:
		return fmt.Errorf("input %d has %s, and input 0 has %d", k, part.Count(images, "image"), *n)
	default:
		*n = images
		return nil
	}
}

// Reader turns image files into pixels, for one input of a model. Only one goroutine may use it at a time.
type Reader struct{ r *prepare.Reader }

// NewReader returns a reader for input k.
func (m *Model) NewReader(k int) (*Reader, error) {
	if k < 0 || k >= len(m.inputs) {
		return nil, fmt.Errorf("the model has no input %d", k)
	}
	in := m.inputs[k]
	r, err := prepare.NewReader(part.Preprocessing{Height: in.Height, Width: in.Width, Channels: in.Channels, Numbers: in.Numbers, Steps: in.Steps})
	if err != nil {
		return nil, fmt.Errorf("input %d: %w", k, err)
	}
	return &Reader{r}, nil
}

// SizeError is an image of another size than the network takes, where the model does not say how it gets that size.
type SizeError = prepare.SizeError

// Read decodes the bytes of an image file (JPEG, PNG, WebP, BMP or GIF), gives it the network's size as the model says,
// and returns its pixels, which are valid until the next call. The text of an error continues the name of the file.
func (r *Reader) Read(file []byte) ([]uint8, error) { return r.r.Read(file) }
