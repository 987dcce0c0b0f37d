package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/interp/event"
	"qpipe/interp/part"
	"qpipe/lang/program"
)

// run calls Main in memory.
func run(c part.Catalog, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = Main(args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, c)
	return code, out.String(), errs.String()
}

func TestPanicIsOurs(t *testing.T) {
	broken := part.Catalog{{Signature: program.Signature{
		Kind: program.ModelKind, Name: "Broken", Args: func() any { panic("the part is broken") },
	}}}
	code, _, stderr := run(broken, "parts")
	if code != 3 || !strings.Contains(stderr, "QP900") || !strings.Contains(stderr, "the part is broken") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestDoubleDashes(t *testing.T) {
	root := (&app{}).root()
	for _, c := range []struct{ in, want string }{
		{"run -var a=1 -json x.hcl", "run --var a=1 --json x.hcl"},
		{"run --var a=1 -var=b=-2 x", "run --var a=1 --var=b=-2 x"},
		{"run -var -json x", "run --var -json x"}, // the value of -var
		{"graph -format=dot", "graph --format=dot"},
		{"run -threads -1", "run --threads -1"},
		{"run -h", "run -h"},
		{"fmt -", "fmt -"},
		{"run -resume -force x", "run --resume --force x"}, // its value is optional
		{"run -- -json", "run -- -json"},
		{"-chdir=/tmp fmt -check", "--chdir=/tmp fmt --check"},
		{"-chdir -check fmt", "--chdir -check fmt"},
		{"run -nosuch", "run --nosuch"},
	} {
		if got := doubleDashes(root, strings.Fields(c.in)); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: got %q, want %s", c.in, got, c.want)
		}
	}
}

func TestNarrator(t *testing.T) {
	n := &narrator{stages: map[string]*extent{}}
	for _, c := range []struct {
		event event.Event
		want  string
	}{
		{
			event.Event{Kind: event.EventStart, Stage: "qat", Data: map[string]any{"total_steps": 40, "steps_per_epoch": 10, "train_images": 320, "val_images": int64(64)}},
			"qat: 40 steps in 4 epochs, 320 training images, 64 validation images",
		},
		{
			event.Event{Kind: event.EventEpoch, Stage: "qat", Epoch: 2, Step: 20, Data: map[string]any{"loss": 0.25, "lr": 0.001, "metrics": map[string]float64{"accuracy": 0.5, "loss": 0.25}, "images_per_second": 1234.5}},
			"qat: epoch 2/4  loss 0.2500  lr 0.001  accuracy 0.5000  1234 images/s",
		},
		{
			event.Event{Kind: event.EventAbsorb, Stage: "qat", Epoch: 2, Step: 20, Data: map[string]any{"module": "backbone.stem.conv", "qat_mode": "with_bn", "weight_scale": "keep", "max_change": 0.5, "max_steps": 3.0}},
			"qat: absorbed backbone.stem.conv at epoch 2, step 20 (with_bn, scale kept): output changes by at most 0.5, 3 steps",
		},
		{event.Event{Kind: event.EventProgress, Stage: "qat"}, ""},
	} {
		if got := n.line(c.event); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.event.Kind, got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"x.hcl": "x.hcl", "a b": "'a b'", "": "''", "it's": `'it'\''s'`, "n=v": "n=v", "$x": "'$x'",
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for got, want := range map[string]string{
		size(999): "999 B", size(2048): "2.0 KiB", size(3 << 20): "3.00 MiB",
		seconds(0.0421): "42 ms", seconds(12.34): "12.3 s", seconds(125): "2:05", seconds(3725): "1:02:05",
		clock(59400 * time.Millisecond): "0:59", short(12345): "12.3k", short(2.5): "2.5", short(123): "123",
		metric(3): "3", metric(0.98765): "0.9877",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
