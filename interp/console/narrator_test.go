package console

import (
	"testing"
	"time"

	"qpipe/interp/event"
	"qpipe/interp/number"
)

func TestNarrator(t *testing.T) {
	n := newNarrator(false)
	for _, c := range []struct {
		event event.Event
		want  string
	}{
		{
			event.Event{Stage: "qat", Data: event.Start{TotalSteps: 40, StepsPerEpoch: 10, TrainImages: 320, ValImages: 64}},
			"qat: 40 steps in 4 epochs, 320 training images, 64 validation images",
		},
		{
			event.Event{Stage: "qat", Epoch: 2, Step: 20, Data: event.Epoch{
				Loss: new(number.Float(0.25)), LR: new(number.Float(0.001)), Metrics: number.Map{"accuracy": 0.5, "loss": 0.25}, Rate: 1234.5,
			}},
			"qat: epoch 2/4  loss 0.2500  lr 0.001  accuracy 0.5000  1234 images/s",
		},
		{
			event.Event{Stage: "qat", Epoch: 2, Step: 20, Data: event.Absorb{Module: "backbone.stem.conv", QATMode: "with_bn", WeightScale: "keep", MaxChange: 0.5, MaxSteps: 3}},
			"qat: absorbed backbone.stem.conv at epoch 2, step 20 (with_bn, scale kept): output changes by at most 0.5, 3 steps",
		},
		{event.Event{Stage: "qat", Data: event.Progress{}}, ""},
	} {
		if got := n.line(c.event); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.event.Data.Kind(), got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"x.hcl": "x.hcl", "a b": "'a b'", "": "''", "it's": `'it'\''s'`, "n=v": "n=v", "$x": "'$x'",
	} {
		if got := Quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for got, want := range map[string]string{
		Size(999): "999 B", Size(2048): "2.0 KiB", Size(3 << 20): "3.00 MiB",
		Seconds(0.0421): "42 ms", Seconds(12.34): "12.3 s", Seconds(125): "2:05", Seconds(3725): "1:02:05",
		clock(59400 * time.Millisecond): "0:59", Short(12345): "12.3k", Short(2.5): "2.5", Short(123): "123",
		metric(3): "3", metric(0.98765): "0.9877",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
