package bench

import (
	"fmt"
	"slices"
	"time"

	"qpipe/interp/console"
	"qpipe/lang/diag"
	"qpipe/ops/engine"
)

// Request says what to measure for every network.
type Request struct {
	Batches, Threads []int    // if empty, those of the network
	Forms            []string // if empty, all that the network has
	Time             time.Duration
	Layers           bool // also what every node costs
}

// Bench is a running measurement.
type Bench struct {
	Lab     *Lab
	Request Request
	Report  *Report
	Status  func(text string) // is called with what is being measured; nil if nobody watches
}

func (b *Bench) says(format string, args ...any) {
	if b.Status != nil {
		b.Status(fmt.Sprintf(format, args...))
	}
}

// Peaks measures the machine's peak with each number of threads.
func (b *Bench) Peaks() error {
	for _, n := range b.Request.Threads {
		if err := b.peaks(n); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bench) peaks(threads int) error {
	b.says("the peak of %s", console.Count(threads, "thread"))
	pool := engine.NewWorkers(threads)
	defer pool.Close()
	p := Peak{Threads: threads}
	var err error
	if p.Float, err = b.Lab.peak(pool, kindF32, b.Request.Time); err == nil {
		p.Int8, err = b.Lab.peak(pool, kindU8S8U8, b.Request.Time)
	}
	b.Report.Peaks = append(b.Report.Peaks, p)
	return err
}

// Measure measures one network in every wanted way.
func (b *Bench) Measure(s *Subject) (*Net, error) {
	forms, err := s.Wanted(b.Request.Forms)
	if err != nil {
		return nil, err
	}
	batches := b.Request.Batches
	if len(batches) == 0 {
		batches = s.batches
	}
	out := &Net{Name: s.name}
	b.Report.Nets = append(b.Report.Nets, out)
	for _, threads := range b.Request.Threads {
		pool := engine.NewWorkers(threads)
		for _, form := range forms {
			if err := b.form(s, form, batches, pool, out); err != nil {
				pool.Close()
				return nil, fmt.Errorf("%s, %s: %w", s.name, form, err)
			}
		}
		pool.Close()
	}
	return out, nil
}

// form measures a form of a network with every batch: inference, and training steps with more than one image, because
// BatchNorm needs several.
func (b *Bench) form(s *Subject, form string, batches []int, pool *engine.Workers, out *Net) error {
	g, err := s.graph(form, pool)
	if err != nil {
		return err
	}
	out.describe(g, form)
	for i, batch := range batches {
		if infers(form) {
			w, err := s.inference(g, batch, pool)
			if err == nil {
				if i == len(batches)-1 && s.int8 == nil { // g is no longer needed
					w.net.Release()
				}
				err = b.row(w, Row{What: form, Does: "inference", Batch: batch, Threads: pool.Size()}, out)
			}
			if err != nil {
				return err
			}
		}
		if trains(form) && (batch > 1 || slices.Max(batches) == 1) {
			w, err := s.training(g, batch, pool)
			if err == nil {
				err = b.row(w, Row{What: form, Does: "training", Batch: batch, Threads: pool.Size()}, out)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// row measures a piece of work and adds its line.
func (b *Bench) row(w *Work, r Row, out *Net) (err error) {
	b.says("%s, %s, %s, %s", out.Name, r.What, r.Does, console.Count(r.Batch, "image"))
	if r.Timing, err = w.measure(b.Request.Time); err != nil {
		return err
	}
	if b.Request.Layers {
		if r.Layers, err = w.layers(b.Request.Time); err != nil {
			return err
		}
	}
	r.Images = float64(w.items) / float64(r.Median) * 1e9
	r.Speed = w.flop / float64(r.Median)
	r.Integer = w.integer
	if p := b.Report.Peak(r.Threads, w.integer); p > 0 {
		r.Share = r.Speed / p
	}
	out.Rows = append(out.Rows, r)
	return nil
}

// Once says how long a network took to load and to run one time, in nanoseconds.
type Once struct {
	Batch         int    `json:"batch"`
	FormatVersion string `json:"format_version"`
	Load          int64  `json:"load_ns"`
	Name          string `json:"name"`
	Run           int64  `json:"run_ns"`
	What          string `json:"what"` // the form
}

// Once prepares a network and runs it once; began is when it started to load. It uses the first element of each list of
// the request.
func (b *Bench) Once(s *Subject, began time.Time) (*Once, error) {
	forms, err := s.Wanted(b.Request.Forms)
	if err != nil {
		return nil, err
	}
	pool := engine.NewWorkers(b.Request.Threads[0])
	defer pool.Close()
	g, err := s.graph(forms[0], pool)
	if err != nil {
		return nil, err
	}
	batch := 1
	if len(b.Request.Batches) > 0 {
		batch = b.Request.Batches[0]
	}
	w, err := s.inference(g, batch, pool)
	if err != nil {
		return nil, err
	}
	loaded := b.Lab.Clock().Sub(began)
	if err := w.run(); err != nil {
		return nil, err
	}
	total := b.Lab.Clock().Sub(began)
	return &Once{
		Batch: batch, FormatVersion: diag.FormatVersion, Load: loaded.Nanoseconds(), Name: s.name,
		Run: (total - loaded).Nanoseconds(), What: forms[0],
	}, nil
}
