package lower_test

import (
	"math"
	"strings"
	"testing"

	"qpipe/interp/parttest"
	stg "qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestTooMuchMemory: a stage that needs too much memory is reported at whatever needs most,
// with the largest batch that fits. That batch is accepted, and one image more is not.
func TestTooMuchMemory(t *testing.T) {
	const memory = 1 << 30
	train := func(f flow) *program.Trainer { return f.Stages[0].Trainer }
	images := func(f flow, set, n int) { f.Datasets[set].Args = parttest.DotsArgs{N: n, Size: 6, Classes: 3} }
	for _, c := range []struct {
		name   string
		change func(f flow)
		at     func(f flow) diag.Range
		says   string
		batch  func(f flow) *int // that is made smaller
	}{
		{
			"training", func(f flow) { images(f, 0, 10_000_000); train(f).BatchSize = 10_000_000 },
			func(f flow) diag.Range { return train(f).Origin.At("batch_size") }, "is for training in batches of 10000000 images. The largest batch_size that fits is ",
			func(f flow) *int { return &train(f).BatchSize },
		},
		{
			"more than there are", func(f flow) { images(f, 0, 10_000_000); train(f).BatchSize, train(f).DropLast = math.MaxInt, false },
			func(f flow) diag.Range { return train(f).Origin.At("batch_size") }, "is for training in batches of 10000000 images. The largest batch_size that fits is ",
			func(f flow) *int { return &train(f).BatchSize },
		},
		{
			"validation", func(f flow) { images(f, 1, 10_000_000); f.Stages[0].Validation.BatchSize = math.MaxInt },
			func(f flow) diag.Range { return f.Stages[0].Validation.Origin.At("batch_size") }, "is for validation in batches of 10000000 images. The largest validation { batch_size } that fits is ",
			func(f flow) *int { return &f.Stages[0].Validation.BatchSize },
		},
		{
			"calibration", func(f flow) {
				images(f, 0, 10_000_000)
				f.Program.Stages = f.Stages[:2]
				f.Stages[1].Calibrator.BatchSize = math.MaxInt
			}, func(f flow) diag.Range { return f.Stages[1].Calibrator.Origin.At("batch_size") }, "is for calibration in batches of 10000000 images. The largest batch_size that fits is ",
			func(f flow) *int { return &f.Stages[1].Calibrator.BatchSize },
		},
		{
			"the order of the images", func(f flow) { images(f, 0, 1_000_000_000) },
			func(f flow) diag.Range { return f.Datasets[0].Origin.Header }, "is for the images and their order: 1000000000 to train on", nil,
		},
		{
			"decoding", func(f flow) {
				f.Datasets[0].Args = parttest.DotsArgs{N: 100, Size: 6, Classes: 3, Reading: 600 << 20}
			}, func(f flow) diag.Range { return f.Datasets[0].Origin.Header }, "is for decoding several images at the same time, up to 600 MiB each", nil,
		},
		{
			"the network", func(f flow) { f.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 6000} },
			func(f flow) diag.Range { return f.Models[0].Origin.Header }, "is for the network itself", nil,
		},
		{"threads", func(f flow) {
			f.Settings.Threads = program.MostThreads
			f.Models[0].Args = parttest.TinyArgs{Classes: 3, Width: 1000}
		}, nil, "Every thread needs memory of its own, and there are 1024 of them", nil},
		{"what fits", func(flow) {}, nil, "", nil},
		{"data of unknown size", func(f flow) {
			f.Datasets[0].Args = parttest.DotsArgs{N: 40, Size: 6, Classes: 3, Uncounted: true}
			train(f).BatchSize = math.MaxInt
		}, nil, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := parttest.Flow()
			f := flow{p, text}
			c.change(f)
			lower := func() *diag.Diagnostic {
				_, list := loweredFor(t, f.Program, stg.Machine{Memory: memory, Cores: 2})
				for _, d := range list {
					if d.Code == diag.TooMuchMemory {
						return d
					}
					if d.Severity == diag.Error && d.Code == diag.Bug {
						t.Fatal(d.Summary, d.Detail)
					}
				}
				return nil
			}
			d := lower()
			if c.says == "" {
				if d != nil {
					t.Fatalf("%s. %s", d.Summary, d.Detail)
				}
				return
			}
			if d == nil {
				t.Fatal("it is accepted")
			}
			if !strings.Contains(d.Detail, c.says) || !strings.Contains(d.Summary, "this machine has 1 GiB") || c.at != nil && d.Subject != c.at(f) {
				t.Errorf("%s. %s (at %v)", d.Summary, d.Detail, d.Subject)
			}
			if c.batch == nil {
				return
			}
			fits, digits := 0, strings.TrimSuffix(d.Detail[strings.LastIndex(d.Detail, " ")+1:], ".")
			for _, r := range digits {
				fits = 10*fits + int(r-'0')
			}
			if *c.batch(f) = fits; lower() != nil {
				t.Errorf("a batch of %d does not fit", fits)
			}
			if *c.batch(f) = fits + 1; lower() == nil {
				t.Errorf("a batch of %d fits as well", fits+1)
			}
		})
	}
}
