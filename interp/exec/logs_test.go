package exec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"qpipe/interp/disk"
	"qpipe/interp/event"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
)

var logLine = regexp.MustCompile(`^((\{.*),"seq":([1-9][0-9]*)),"check":"([0-9a-f]{8})"\}$`)

// logged reads a log as docs/events.md describes it, and returns its lines without the last two fields.
func logged(t *testing.T, path string) (objects []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	lines := strings.Split(string(data), "\n")
	if last := lines[len(lines)-1]; last != "" {
		t.Errorf("%s does not end with a whole line: %q", path, last)
	}
	for i, line := range lines[:len(lines)-1] {
		m := logLine.FindStringSubmatch(line)
		if m == nil || !json.Valid([]byte(line)) {
			t.Fatalf("%s: line %d is not as the page has it: %q", path, i+1, line)
		}
		check := fmt.Sprintf("%08x", crc32.Checksum([]byte(m[1]), crc32.MakeTable(crc32.Castagnoli)))
		if m[3] != strconv.Itoa(i+1) || m[4] != check {
			t.Fatalf("%s: line %d has the number %s and the check %s, want %s", path, i+1, m[3], m[4], check)
		}
		objects = append(objects, m[2]+"}")
	}
	return objects
}

// TestLogLines: every line has its number and its check, as the page describes.
func TestLogLines(t *testing.T) {
	p, _ := parttest.Flow()
	dir := t.TempDir()
	ran(t, p, world(dir))
	ran(t, p, world(dir))
	for _, name := range []string{runs.EventsName, runs.MetricsName} {
		if n := len(logged(t, filepath.Join(dir, name))); n < 10 {
			t.Errorf("%s has %d lines", name, n)
		}
	}
}

// harm is a way to damage a log: it makes the file from the log's lines, each with its newline, and says which lines are lost.
type harm struct {
	what string
	do   func(lines []string, i int) (file string, lost []int)
}

func from(i, n int) (out []int) {
	for ; i < n; i++ {
		out = append(out, i)
	}
	return out
}

func flipped(name string, at func(line string) int) harm {
	return harm{"a bit of " + name, func(lines []string, i int) (string, []int) {
		line, p := []byte(lines[i]), at(lines[i])
		line[p] ^= 1 << (i % 7)
		lost := []int{i}
		if p == len(line)-1 {
			lost = nil // both lines are whole
		}
		return strings.Join(lines[:i], "") + string(line) + strings.Join(lines[i+1:], ""), lost
	}}
}

func harms() []harm {
	join := func(parts ...[]string) string { return strings.Join(slices.Concat(parts...), "") }
	return []harm{
		flipped("the first byte", func(string) int { return 0 }),
		flipped("a name", func(string) int { return 3 }),
		flipped("the middle", func(l string) int { return len(l) / 2 }),
		flipped("the number", func(l string) int { return len(l) - 22 }),
		flipped("the name of the check", func(l string) int { return len(l) - 17 }),
		flipped("the check", func(l string) int { return len(l) - 6 }),
		flipped("the last brace", func(l string) int { return len(l) - 2 }),
		flipped("the line's end", func(l string) int { return len(l) - 1 }),
		{"removed", func(l []string, i int) (string, []int) { return join(l[:i], l[i+1:]), []int{i} }},
		{"twice", func(l []string, i int) (string, []int) { return join(l[:i+1], l[i:]), nil }},
		{"at the beginning", func(l []string, i int) (string, []int) { return join(l[i:i+1], l[:i], l[i+1:]), nil }},
		{"behind a line of somebody", func(l []string, i int) (string, []int) { return join(l[:i], []string{"hello\n"}, l[i:]), nil }},
		{"behind an object of somebody", func(l []string, i int) (string, []int) {
			return join(l[:i], []string{`{"event":"epoch","stage":"qat","step":1}` + "\n"}, l[i:]), nil
		}},
		{"the file cut in front", func(l []string, i int) (string, []int) { return join(l[:i]), from(i, len(l)) }},
		{"the file cut in the middle", func(l []string, i int) (string, []int) {
			return join(l[:i], []string{l[i][:len(l[i])/2]}), from(i, len(l))
		}},
		{"zeros from here on", func(l []string, i int) (string, []int) {
			return join(l[:i], []string{strings.Repeat("\x00", len(join(l[i:])))}), from(i, len(l))
		}},
	}
}

// said returns the warnings with a code.
func saidOf(list diag.List, code diag.Code) (out []string) {
	for _, d := range list {
		if d.Code == code {
			out = append(out, d.Summary+". "+d.Detail)
		}
	}
	return out
}

// TestDamagedLogs damages every line of both logs of a complete and of an interrupted run. There is always a
// warning, the damaged file is kept, metrics.jsonl is restored byte for byte, and events.jsonl continues after its intact lines.
func TestDamagedLogs(t *testing.T) {
	p, _ := parttest.Flow()
	complete, half := t.TempDir(), filepath.Join(t.TempDir(), "run")
	ran(t, p, world(complete))
	interrupted(t, p, half, "qat", 3)
	clean := products(t, complete)
	all, n := harms(), 0
	for _, origin := range []string{complete, half} {
		for _, name := range []string{runs.EventsName, runs.MetricsName} {
			data, err := os.ReadFile(filepath.Join(origin, name))
			must(t, err)
			lines := strings.SplitAfter(string(data), "\n")
			lines = lines[:len(lines)-1]
			objects := logged(t, filepath.Join(origin, name))
			for i := range lines {
				tries := 1
				if origin == complete && os.Getenv("QPIPE_LONG") != "" {
					tries = 3
				}
				for range tries {
					h := all[n%len(all)]
					n++
					file, lost := h.do(lines, i)
					if file == string(data) {
						continue
					}
					what := fmt.Sprintf("%s of %s, line %d, %s", name, filepath.Base(origin), i+1, h.what)
					dir := filepath.Join(t.TempDir(), "run")
					must(t, os.CopyFS(dir, os.DirFS(origin)))
					path := filepath.Join(dir, name)
					must(t, os.WriteFile(path, []byte(file), 0o600))
					r, list := Run(context.Background(), lowered(t, p), world(dir))
					told := saidOf(list, diag.LogDamaged)
					if list.HasErrors() || len(told) != 1 || !strings.Contains(told[0], path) {
						t.Errorf("%s: %v\n%s", what, list, states(r))
						continue
					}
					after := logged(t, path)
					if name == runs.MetricsName {
						lost = nil
					} else {
						want := slices.Clone(objects)
						for _, gone := range slices.Backward(lost) {
							want = slices.Delete(want, gone, gone+1)
						}
						if len(after) < len(want) || !slices.Equal(after[:len(want)], want) {
							t.Errorf("%s: other lines than the sound ones are left: %q", what, after)
						}
					}
					amount := map[int]string{0: "none of its lines is lost", 1: "a line of it is lost"}[len(lost)]
					if amount == "" {
						amount = fmt.Sprint(len(lost), " lines of it are lost")
					}
					if !strings.Contains(told[0], amount) {
						t.Errorf("%s: does not say %q: %s", what, amount, told[0])
					}
					got := products(t, dir)
					if kept := got[name+".damaged"]; kept != file && !strings.HasPrefix(h.what, "the file cut") && !strings.HasPrefix(h.what, "zeros") {
						t.Errorf("%s: the damaged file is not kept: %.60q", what, kept)
					}
					delete(got, name+".damaged")
					if d := differences(clean, got); d != nil {
						t.Errorf("%s: %v", what, d)
					}
					if _, list := Run(context.Background(), lowered(t, p), world(dir)); len(list) > 0 {
						t.Errorf("%s: said twice: %v", what, list)
					}
				}
			}
		}
	}
}

// TestLostLogs: lines that cannot be restored are reported, by stage and step.
func TestLostLogs(t *testing.T) {
	p, _ := parttest.Flow()
	for _, c := range []struct {
		names []string
		want  []string
	}{
		{[]string{runs.MetricsName}, []string{"metrics.jsonl is missing; none of its lines is lost"}},
		{[]string{runs.EventsName}, []string{"events.jsonl is missing; "}},
		{[]string{runs.EventsName, runs.MetricsName}, []string{"events.jsonl is missing; ", "metrics.jsonl is missing; ", `lines of stage "float" 0 are left`}},
	} {
		dir := t.TempDir()
		ran(t, p, world(dir))
		for _, name := range c.names {
			must(t, os.Remove(filepath.Join(dir, name)))
		}
		_, list := Run(context.Background(), lowered(t, p), world(dir))
		text := strings.Join(saidOf(list, diag.LogDamaged), "\n")
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: does not say %q: %s", c.names, want, text)
			}
		}
		if _, list := Run(context.Background(), lowered(t, p), world(dir)); len(list) > 0 {
			t.Errorf("%v: said twice: %v", c.names, list)
		}
	}
}

// TestForeignLogs: a log that no run has written is reported and not changed, in a run's folder and in any other.
func TestForeignLogs(t *testing.T) {
	p, _ := parttest.Flow()
	for _, name := range []string{runs.EventsName, runs.MetricsName} {
		for _, text := range []string{"mine\n", "step,loss\n1,2\n", "{\"step\":1}\n{\"step\":2}\n", "\n", "x"} {
			for _, known := range []bool{false, true} {
				dir := t.TempDir()
				if known {
					ran(t, p, world(dir))
				}
				path := filepath.Join(dir, name)
				must(t, os.WriteFile(path, []byte(text), 0o600))
				_, d := broke(t, p, world(dir))
				if d.Code != diag.Foreign || !strings.Contains(d.Summary, path) {
					t.Errorf("%s, %q: %s %s", name, text, d.Code, d.Summary)
				}
				if got, err := os.ReadFile(path); err != nil || string(got) != text {
					t.Errorf("%s: it is %q", name, got)
				}
			}
		}
	}
}

// TestFailedWrites lets every write to a log fail, completely or in the middle. After it nothing more is written, it is
// reported at once, and the next run ends with the same bytes as a run without the failure.
func TestFailedWrites(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	want := products(t, clean)
	for _, name := range []string{runs.EventsName, runs.MetricsName} {
		stride := 1
		if name == runs.EventsName {
			stride = 5
		}
		for n := 1; ; n += stride {
			dir := filepath.Join(t.TempDir(), "run")
			o := world(dir)
			failed, after, heard := false, 0, 0
			step, seen := []string{disk.StepAppend, disk.StepHalf}[n%2], 0
			o.trace = func(at, file string) error {
				switch {
				case file != name || at != disk.StepAppend && at != disk.StepHalf:
					return nil
				case failed:
					after++
				case at == step:
					if seen++; seen == n {
						failed = true
						return errors.New("no space left on device")
					}
				}
				return nil
			}
			o.Events = func(e event.Event) {
				if w, ok := e.Data.(event.Warning); ok && w.Code == string(diag.Unwritable) && strings.Contains(w.Message, name) {
					heard++
				}
			}
			_, list := Run(context.Background(), lowered(t, p), o)
			if !failed {
				if list.HasErrors() {
					t.Errorf("%v", list)
				}
				break
			}
			if !list.HasErrors() || len(saidOf(list, diag.Unwritable)) == 0 || after > 0 || heard != 1 {
				t.Errorf("%s, write %d: written %d times after the failure, said %d times: %v", name, n, after, heard, list)
			}
			if _, list := Run(context.Background(), lowered(t, p), world(dir)); len(list) > 0 {
				t.Errorf("%s, write %d: the next run: %v", name, n, list)
			}
			logged(t, filepath.Join(dir, runs.EventsName))
			if d := differences(want, products(t, dir)); d != nil {
				t.Errorf("%s, write %d: %v", name, n, d)
			}
		}
	}
}

// TestLogsChangedUnderTheRun: a log that is changed while the run writes it is reported, the changed file is
// kept, and in the end the metrics are the same as without the change.
func TestLogsChangedUnderTheRun(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	total := 0
	o := world(clean)
	o.Events = func(e event.Event) {
		if !is[event.Progress](e) {
			total++
		}
	}
	ran(t, p, o)
	want := products(t, clean)
	ways := map[string]func(path string, data []byte) error{
		"removed":  func(path string, _ []byte) error { return os.Remove(path) },
		"emptied":  func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"cut":      func(path string, data []byte) error { return os.Truncate(path, int64(len(data)*2/3)) },
		"appended": func(path string, data []byte) error { return os.WriteFile(path, append(data, "hello\n"...), 0o600) },
		"edited": func(path string, data []byte) error {
			return os.WriteFile(path, bytes.Replace(data, []byte("epoch"), []byte("spoch"), 1), 0o600)
		},
		"replaced": func(path string, _ []byte) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.WriteFile(path, []byte("mine\n"), 0o600)
		},
	}
	step, turn := 37, 0 // each way at other events, in turn
	if os.Getenv("QPIPE_LONG") != "" {
		step = 7
	}
	for _, name := range []string{runs.EventsName, runs.MetricsName} {
		for _, way := range slices.Sorted(maps.Keys(ways)) {
			change := ways[way]
			turn += 3
			for n := 2 + turn%step; n <= total; n += step {
				dir := filepath.Join(t.TempDir(), "run")
				path := filepath.Join(dir, name)
				o := world(dir)
				seen, changed, heard := 0, "", 0
				o.Events = func(e event.Event) {
					if w, ok := e.Data.(event.Warning); ok && w.Code == string(diag.LogDamaged) {
						heard++
					}
					if seen++; seen != n {
						return
					}
					data, err := os.ReadFile(path)
					must(t, err)
					must(t, change(path, bytes.Clone(data)))
					if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, data) {
						changed = "changed " + string(now)
					}
				}
				r, list := Run(context.Background(), lowered(t, p), o)
				what := fmt.Sprintf("%s %s after event %d", name, way, n)
				if told := saidOf(list, diag.LogDamaged); list.HasErrors() || changed != "" && (len(told) != 1 || heard != 1 || !strings.Contains(told[0], path)) {
					t.Errorf("%s: %v\n%s", what, list, states(r))
				}
				events := logged(t, filepath.Join(dir, runs.EventsName))
				if (way == "removed" || way == "replaced" || name == runs.MetricsName) && len(events) < total {
					t.Errorf("%s: %d events are left of %d", what, len(events), total)
				}
				got := products(t, dir)
				if kept, left := got[name+".damaged"], strings.TrimPrefix(changed, "changed "); !strings.HasPrefix(kept, left) || left == "" && kept != "" {
					t.Errorf("%s: %q is kept of %q", what, kept, left)
				}
				delete(got, name+".damaged")
				if d := differences(want, got); d != nil {
					t.Errorf("%s: %v", what, d)
				}
				if _, list := Run(context.Background(), lowered(t, p), world(dir)); len(list) > 0 {
					t.Errorf("%s: the next run: %v", what, list)
				}
			}
		}
	}
}

// TestPlansOrder: metrics.jsonl has the stages in the plan's order, whatever was forced, edited and restored.
func TestPlansOrder(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	dir := filepath.Join(t.TempDir(), "run")
	ran(t, p, world(dir))
	o := world(dir)
	o.Force, o.Only = true, []string{"float"}
	ran(t, p, o)
	interrupted(t, edited(), dir, "qat", 2)
	ran(t, p, world(dir))
	if d := differences(products(t, clean), current(products(t, dir))); d != nil {
		t.Errorf("%v", d)
	}
}
