package exec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"qpipe/interp/disk"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
)

// TestStrays: intact lines of metrics.jsonl that this run has not written are removed by the next
// run, which keeps a copy of the file as it was.
func TestStrays(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	other, _ := parttest.Flow()
	other.Stages = other.Stages[:1]
	other.Stages[0].Name, other.Stages[0].Trainer.NumEpochs = "elsewhere", 1
	away := t.TempDir()
	ran(t, other, world(away))
	other.Stages[0].Name, other.Stages[0].Trainer.NumEpochs = "float", 7
	longer := t.TempDir()
	ran(t, other, world(longer))
	read := func(dir, name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		return data
	}
	metrics := read(clean, runs.MetricsName)
	last := func(text []byte) []byte { return text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:] }
	for name, text := range map[string][]byte{
		"a line of another stage":        bytes.Join([][]byte{metrics, last(read(away, runs.MetricsName))}, nil),
		"a line of a longer stage":       bytes.Join([][]byte{metrics, last(read(longer, runs.MetricsName))}, nil),
		"the other log's lines":          bytes.Join([][]byte{metrics, read(clean, runs.EventsName)}, nil),
		"the other log":                  read(clean, runs.EventsName),
		"the other log, and it is gone":  read(clean, runs.EventsName),
		"a line of another stage before": bytes.Join([][]byte{last(read(away, runs.MetricsName)), metrics}, nil),
	} {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(clean)))
		must(t, os.WriteFile(filepath.Join(dir, runs.MetricsName), text, 0o600))
		lost := name == "the other log, and it is gone"
		if lost {
			must(t, os.Remove(filepath.Join(dir, runs.EventsName)))
		}
		ran(t, p, world(dir))
		if got := read(dir, runs.MetricsName); !bytes.Equal(got, metrics) && !lost {
			t.Errorf("%s: %s\nwant\n%s", name, got, metrics)
		}
		if got := read(dir, runs.MetricsName+".damaged"); !bytes.Equal(got, text) {
			t.Errorf("%s: it was not kept: %s", name, got)
		}
		o := world(dir)
		o.Force = true
		ran(t, p, o)
		if got := read(dir, runs.MetricsName); !bytes.Equal(got, metrics) {
			t.Errorf("%s: after -force: %s\nwant\n%s", name, got, metrics)
		}
	}
}

// TestBehind: a stage continues from a numbered checkpoint if that is newer than "last".
func TestBehind(t *testing.T) {
	p, _ := parttest.Flow()
	dir := t.TempDir()
	interrupted(t, p, dir, "qat", 2)
	r, err := runs.Open(dir, disk.Options{})
	must(t, err)
	s, err := r.Own("qat", "last")
	must(t, err)
	for name, want := range map[string]bool{
		"last": false, "best": false, "step-00000000": false, fmt.Sprintf("step-%08d", s.Step): false, fmt.Sprintf("step-%08d", s.Step+1): true,
		fmt.Sprintf("epoch-%04d", s.Epoch): false, fmt.Sprintf("epoch-%04d", s.Epoch+1): true,
	} {
		if behind(s, name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
	r.Close()
}
