package runs

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"qpipe/interp/frame"
)

// TestTornLine cuts a log of a run that was killed at every byte: opening it again keeps the whole lines only, without a word.
func TestTornLine(t *testing.T) {
	r := opened(t, t.TempDir())
	r.Manifest.FormatVersion, r.Manifest.Logs = ManifestVersion, &Logs{}
	var whole []byte
	for i, object := range []string{`{"event":"a"}`, `{"event":"b","x":"` + strings.Repeat("x", 70000) + `"}`, `{"event":"c"}`} {
		whole = append(whole, frame.Line([]byte(object), i+1)...)
	}
	for cut := range whole {
		if cut > 200 && cut < len(whole)-200 && cut%9973 != 0 {
			continue
		}
		must(t, os.WriteFile(r.Path(EventsName), whole[:cut], 0o600))
		e, m, found, err := r.OpenLogs(func([]byte) {})
		must(t, err)
		must(t, e.Append(map[string]string{"event": "d"}))
		_, _ = e.Close(), m.Close()
		got, _ := os.ReadFile(r.Path(EventsName))
		lines := bytes.Count(whole[:cut], []byte("\n"))
		if cut > 0 && whole[cut] == '\n' { // all of a line but its end
			lines++
		}
		want := string(whole[:0])
		for i, line := range bytes.SplitAfter(whole, []byte("\n"))[:lines] {
			_ = i
			want += string(line)
		}
		want += string(frame.Line([]byte(`{"event":"d"}`), lines+1))
		if string(got) != want || len(found) > 0 {
			t.Fatalf("cut at %d: %.60q, %v", cut, got, found)
		}
	}
}

// TestLargeLogs: the memory that opening a log takes is that of its longest line, not of the file.
func TestLargeLogs(t *testing.T) {
	r := opened(t, t.TempDir())
	f, err := os.Create(r.Path(EventsName))
	must(t, err)
	for seq := 1; seq <= 20000; seq++ {
		object := fmt.Sprintf(`{"event":"a","x":%q}`, strings.Repeat("y", 500))
		_, err := f.Write(frame.Line([]byte(object), seq))
		must(t, err)
	}
	must(t, f.Close())
	made := testing.AllocsPerRun(1, func() {
		l, err := r.look(EventsName, maxLog)
		must(t, err)
		if len(l.Lines) != 20000 || !l.Sound() {
			t.Errorf("%d lines", len(l.Lines))
		}
		l.close()
	})
	t.Logf("%v allocations", made)
	must(t, os.Truncate(r.Path(EventsName), maxLog+1))
	if _, err := r.look(EventsName, maxLog); err == nil || !strings.Contains(err.Error(), "is larger than 1024 MiB") {
		t.Errorf("%v", err)
	}
}
