package scalars

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"qpipe/interp/part"
)

// points are those of a small training: a step, a validation and an epoch, then two more steps.
func points() []part.Point {
	at := func(s int) time.Time {
		return time.Unix(1_700_000_000, 0).Add(time.Duration(s) * 250 * time.Millisecond)
	}
	lr := func(v float64) *float64 { return &v }
	return []part.Point{
		{Kind: "step", Epoch: 0, Step: 10, Time: at(1), LR: lr(0.1), Metrics: map[string]float64{"loss": 2.5}},
		{Kind: "validation", Epoch: 1, Step: 10, Time: at(2), LR: nil, Metrics: map[string]float64{"accuracy": 0.25, "mean_iou": 0.5}},
		{Kind: "epoch", Epoch: 1, Step: 10, Time: at(3), LR: lr(0.1), Metrics: map[string]float64{"accuracy": 0.25, "mean_iou": 0.5, "loss": 2.25, "mask_loss": 1}},
		{Kind: "step", Epoch: 1, Step: 15, Time: at(4), LR: lr(0.05), Metrics: map[string]float64{"loss": 1.5}},
		{Kind: "step", Epoch: 1, Step: 20, Time: at(5), LR: lr(0.025), Metrics: map[string]float64{"loss": 1e-3}},
	}
}

func written(t *testing.T, c part.Callback, err error, list []part.Point) []byte {
	t.Helper()
	must(t, err)
	var file []byte
	r := c.(part.Recorder)
	must(t, r.Record(&part.Record{Points: list, Write: func(name string, data []byte) error {
		if !slices.Equal(r.Files(), []string{name}) {
			t.Errorf("it writes %s", name)
		}
		file = data
		return nil
	}}))
	return file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCSV(t *testing.T) {
	a := CSVLoggerDefaults()
	c, err := NewCSVLogger(a)
	if got, want := string(written(t, c, err, points())), `epoch,step,event,lr,accuracy,loss,mask_loss,mean_iou
1,10,validation,,0.25,,,0.5
1,10,epoch,0.1,0.25,2.25,1,0.5
`; got != want {
		t.Errorf("%s", got)
	}
	a.IntervalSteps = 10
	c, err = NewCSVLogger(a)
	if got, want := string(written(t, c, err, points())), `epoch,step,event,lr,accuracy,loss,mask_loss,mean_iou
0,10,step,0.1,,2.5,,
1,10,validation,,0.25,,,0.5
1,10,epoch,0.1,0.25,2.25,1,0.5
1,20,step,0.025,,0.001,,
`; got != want {
		t.Errorf("%s", got)
	}
}

// value is a scalar as a reader of event files finds it.
type value struct {
	Time float64
	Step int
	Tag  string
	V    float64
}

// wantEvents are the scalars of points, with steps every 5.
func wantEvents() []value {
	const t0 = 1_700_000_000
	return []value{
		{t0 + 0.25, 10, "train/lr", 0.1},
		{t0 + 0.25, 10, "train/batch_loss", 2.5},
		{t0 + 0.5, 10, "validation/accuracy", 0.25},
		{t0 + 0.5, 10, "validation/mean_iou", 0.5},
		{t0 + 0.75, 10, "train/loss", 2.25},
		{t0 + 0.75, 10, "train/mask_loss", 1},
		{t0 + 1, 15, "train/lr", 0.05},
		{t0 + 1, 15, "train/batch_loss", 1.5},
		{t0 + 1.25, 20, "train/lr", 0.025},
		{t0 + 1.25, 20, "train/batch_loss", 1e-3},
	}
}

// TestEvents: a reader of event files finds every value once, in order, and right checksums. A file with more points begins with the bytes of
// one with fewer.
func TestEvents(t *testing.T) {
	c, err := NewTensorBoard(TensorBoardArgs{Every{IntervalSteps: 5}})
	all := points()
	file := written(t, c, err, all)
	if got, want := fmt.Sprint(read(t, file)), fmt.Sprint(wantEvents()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for n := range all {
		if part := written(t, c, err, all[:n]); !strings.HasPrefix(string(file), string(part)) || (n == 0) != (part == nil) {
			t.Errorf("the file of %d points is no beginning of that of all", n)
		}
	}
}

// read is a reader of event files, written after the descriptions of the formats.
func read(t *testing.T, file []byte) (all []value) {
	t.Helper()
	for n := 0; len(file) > 0; n++ {
		size := binary.LittleEndian.Uint64(file)
		sums := []uint32{binary.LittleEndian.Uint32(file[8:]), binary.LittleEndian.Uint32(file[12+size:])}
		for i, data := range [][]byte{file[:8], file[12 : 12+size]} {
			rotated := sums[i] - 0xa282ead8
			if crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) != rotated<<15|rotated>>17 {
				t.Fatalf("record %d: a checksum is wrong", n)
			}
		}
		m := fields(t, file[12:12+size])
		at := math.Float64frombits(m[1][0].(uint64))
		if n == 0 && (string(m[3][0].([]byte)) != "brain.Event:2" || m[5] != nil) {
			t.Fatalf("the first event: %v", m)
		}
		for _, summary := range m[5] {
			for _, v := range fields(t, summary.([]byte))[1] {
				s := fields(t, v.([]byte))
				v, _ := json.Number(fmt.Sprint(math.Float32frombits(s[2][0].(uint32)))).Float64()
				all = append(all, value{at, int(m[2][0].(uint64)), string(s[1][0].([]byte)), v})
			}
		}
		file = file[16+size:]
	}
	return all
}

// fields are those of a message, by their numbers.
func fields(t *testing.T, b []byte) map[protowire.Number][]any {
	t.Helper()
	m := map[protowire.Number][]any{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		b = b[n:]
		var v any
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			v, n = protowire.ConsumeFixed32(b)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		default:
			v, n = protowire.ConsumeBytes(b)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		m[number], b = append(m[number], v), b[n:]
	}
	return m
}

// TestTensorBoardReads: TensorBoard itself finds the values, where it is installed (QPIPE_PYTHON names a Python, else python3).
func TestTensorBoardReads(t *testing.T) {
	python := os.Getenv("QPIPE_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import tensorboard").Run(); err != nil {
		t.Skip("TensorBoard is not installed")
	}
	c, err := NewTensorBoard(TensorBoardArgs{Every{IntervalSteps: 5}})
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, eventsFile), written(t, c, err, points()), 0o600))
	out, err := exec.Command(python, "-c", `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
a.Reload()
tags = a.Tags()
values = [(e.wall_time, e.step, tag, e.value) for tag in tags["scalars"] for e in a.Scalars(tag)]
values += [(e.wall_time, e.step, tag, float(e.tensor_proto.float_val[0])) for tag in tags["tensors"] for e in a.Tensors(tag)]
print(json.dumps([dict(zip(("Time", "Step", "Tag", "V"), v)) for v in values]))
`, dir).Output()
	must(t, err)
	var got []value
	must(t, json.Unmarshal(out, &got))
	order := func(list []value) string {
		slices.SortFunc(list, func(a, b value) int { return strings.Compare(fmt.Sprint(a.Tag, a.Step), fmt.Sprint(b.Tag, b.Step)) })
		text := ""
		for _, v := range list {
			text += fmt.Sprintf("%s %d %.6f %.6g\n", v.Tag, v.Step, v.Time, v.V)
		}
		return text
	}
	if got, want := order(got), order(wantEvents()); got != want {
		t.Errorf("TensorBoard finds\n%s, want\n%s", got, want)
	}
}

func TestBadArguments(t *testing.T) {
	for _, n := range []int{-1, part.MostSteps + 1} {
		if _, err := NewTensorBoard(TensorBoardArgs{Every{n}}); err == nil {
			t.Errorf("%d steps are an interval", n)
		}
	}
}
