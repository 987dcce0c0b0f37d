package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/interp/runs"
)

// The accuracies of the runs in testdata/formats; its README says how they were made.
var earlierAccuracy = map[string]string{"float": "71.72 %", "qat": "86.87 %", "int_infer": "86.87 %"}

const earlierFormats = "testdata/formats"

// earlier copies a run of an earlier version, and its pipeline, into a folder of its own.
func earlier(t *testing.T, run string) (out, pipeline string) {
	t.Helper()
	t.Setenv("QPIPE_KERNELS", "portable")
	t.Setenv("NO_COLOR", "1")
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(earlierFormats+"/manifest-2")))
	if run == "manifest-1" {
		text, err := os.ReadFile(earlierFormats + "/manifest-1/manifest.json")
		must(t, err)
		run = "complete"
		must(t, os.WriteFile(filepath.Join(dir, run, runs.ManifestName), text, 0o600))
	}
	t.Chdir(dir) // as the run was made: the pipeline's name is a part of it
	return run, "tiny.hcl"
}

// rows returns the lines of a table by their first word.
func rows(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 1 {
			found[words[0]] += line
		}
	}
	return found
}

// TestEarlierRuns reads complete runs of earlier formats: show has their numbers, and run still considers them up to
// date, except for the program's version.
func TestEarlierRuns(t *testing.T) {
	for _, format := range []string{"manifest-1", "complete"} {
		t.Run(format, func(t *testing.T) {
			out, pipeline := earlier(t, format)
			shown := func(when string) {
				t.Helper()
				code, stdout, stderr := plain(t, "show", out)
				for stage, accuracy := range earlierAccuracy {
					if row := rows(stdout)[stage]; code != 0 || !strings.Contains(row, "complete") || !strings.Contains(row, accuracy) {
						t.Errorf("show, %s: exit code %d, %s: %q\n%s", when, code, stage, row, stderr)
					}
				}
			}
			shown("as it was written")
			code, stdout, stderr := plain(t, "plan", "-out", out, pipeline)
			for stage := range earlierAccuracy {
				if row := rows(stdout)[stage]; code != 0 || !strings.Contains(row, "up to date") && !strings.Contains(row, "version") {
					t.Errorf("plan: exit code %d, %s: %q\n%s%s", code, stage, row, stdout, stderr)
				}
			}
			if code, stdout, stderr := plain(t, "run", "-out", out, pipeline); code != 0 || !strings.Contains(stdout, "accuracy = 0.8687") || strings.Contains(stdout+stderr, "QP458") {
				t.Errorf("run: exit code %d\n%s%s", code, stdout, stderr)
			}
			shown("after a run of this program")
		})
	}
}

// TestEarlierInterrupted continues an interrupted run of an earlier format. Each command says what it does with the
// unfinished stage.
func TestEarlierInterrupted(t *testing.T) {
	for _, c := range []struct {
		name, says string
		args       []string
	}{
		{"plain", "it was interrupted", nil},
		{"resume", "continues", []string{"--resume"}},
		{"changed back", "restored", []string{"-var", "lr=0.02"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, pipeline := earlier(t, "interrupted")
			code, stdout, stderr := plain(t, "show", out)
			if row := rows(stdout)["qat"]; code != 0 || !strings.Contains(row, "interrupted") {
				t.Errorf("show: exit code %d, qat: %q\n%s", code, row, stderr)
			}
			code, stdout, stderr = plain(t, append([]string{"run", "-out", out, pipeline}, c.args...)...)
			if code != 0 || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("run: exit code %d, does not say %q\n%s%s", code, c.says, stdout, stderr)
			}
			accuracy := earlierAccuracy["qat"]
			if c.name == "changed back" {
				accuracy = "85.86 %"
			}
			_, stdout, _ = plain(t, "show", out)
			if row := rows(stdout)["qat"]; !strings.Contains(row, "complete") || !strings.Contains(row, accuracy) {
				t.Errorf("in the end, qat: %q", row)
			}
		})
	}
}

// TestEarlierFiles evaluates and loads every file of a model that an earlier version has written.
func TestEarlierFiles(t *testing.T) {
	out, pipeline := earlier(t, "complete")
	for file, want := range map[string]float64{
		"float/best": 71.0 / 99, "float/last": 71.0 / 99, "qat/last": 86.0 / 99, "int_infer/int8": 86.0 / 99,
	} {
		file = filepath.Join(out, filepath.FromSlash(file)+artifact.Ext)
		if got := evalJSON(t, file, "-data", "dataset.test", pipeline).Metrics["accuracy"]; got != want {
			t.Errorf("%s: accuracy %v, want %v", file, got, want)
		}
	}
	text, err := os.ReadFile(pipeline)
	must(t, err)
	for stage, file := range map[string]string{"float": "float/best", "qat": "qat/last"} {
		loads := strings.ReplaceAll(string(text), "= stage."+stage+".checkpoint."+filepath.Base(file), fmt.Sprintf("= %q", out+"/"+file+artifact.Ext))
		if loads == string(text) {
			t.Fatalf("the pipeline does not load %s", file)
		}
		must(t, os.WriteFile("loads.hcl", []byte(loads), 0o600))
		if code, stdout, stderr := plain(t, "run", "-out", "new", "loads.hcl"); code != 0 || !strings.Contains(stdout, "accuracy = 0.8687") {
			t.Errorf("loads %s: exit code %d\n%s%s", file, code, stdout, stderr)
		}
	}
}

// TestLaterFormats: every command refuses files of a later version by name, and leaves them unchanged.
func TestLaterFormats(t *testing.T) {
	for _, c := range []struct{ file, old, later string }{
		{"manifest.json", `"format_version": 2`, `"format_version": 99`},
		{"float/best.safetensors", `"format_version":"2"`, `"format_version":"9"`},
		{"qat/last.safetensors", `\"version\":2`, `\"version\":9`},
	} {
		t.Run(c.file, func(t *testing.T) {
			out, pipeline := earlier(t, "complete")
			path := filepath.Join(out, filepath.FromSlash(c.file))
			data, err := os.ReadFile(path)
			must(t, err)
			later := strings.Replace(string(data), c.old, c.later, 1)
			if later == string(data) {
				t.Fatalf("%s has no %s", c.file, c.old)
			}
			if strings.HasPrefix(c.old, `\`) {
				later = resealed(later)
			}
			must(t, os.WriteFile(path, []byte(later), 0o600))
			commands := [][]string{{"show", path}, {"eval", path, "-data", "dataset.test", pipeline}}
			if c.file == runs.ManifestName {
				commands = [][]string{{"show", out}, {"plan", "-out", out, pipeline}, {"run", "-out", out, pipeline}, {"run", "-force", "-out", out, pipeline}, {"run", "--resume", "-out", out, pipeline}}
			}
			for _, args := range commands {
				code, stdout, stderr := plain(t, args...)
				if said := stdout + stderr; code != 1 || !strings.Contains(said, "QP451") || !strings.Contains(said, filepath.Base(path)) {
					t.Errorf("%s, %q: exit code %d\n%s", c.file, args, code, said)
				}
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != later {
				t.Errorf("%s is not as it was: %v", c.file, err)
			}
		})
	}
}

// resealed gives a changed checkpoint the hash of its new content.
func resealed(text string) string {
	_, rest, _ := strings.Cut(text, `"sha256":"`)
	old := rest[:64]
	zero := strings.Replace(text, old, strings.Repeat("0", 64), 1)
	return strings.Replace(text, old, disk.Sum([]byte(zero)), 1)
}
