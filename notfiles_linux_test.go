package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// notFiles are the things that can be where a file is expected. Each is created at the path.
var notFiles = map[string]func(t *testing.T, path string){
	"pipe":        func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) },
	"folder":      func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) },
	"device":      func(t *testing.T, path string) { must(t, os.Symlink("/dev/zero", path)) },
	"broken link": func(t *testing.T, path string) { must(t, os.Symlink("nothing", path)) },
	"link circle": func(t *testing.T, path string) { must(t, os.Symlink(filepath.Base(path), path)) },
	"socket":      socket,
}

// seldom are those of which each file is replaced by every second one, unless QPIPE_LONG is set.
var seldom = []string{"device", "broken link", "link circle", "socket"}

// aText is only in the way of a folder.
func aText(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("mine"), 0o600)) }

func socket(t *testing.T, path string) {
	t.Helper()
	short := filepath.Join(os.TempDir(), fmt.Sprintf("qpipe-%d.socket", time.Now().UnixNano())) // addresses are short
	l, err := net.Listen("unix", short)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	must(t, os.Rename(short, path))
}

// notFilePipeline has placeholders: X for a value, Y for a stage's converters.
const notFilePipeline = `
variable "x" { default = "" }
dataset "Glyphs" "train" { num_samples = 32 }
dataset "MNIST" "files" { root = "data" }
dataset "CIFAR10" "batches" {
  root  = "data"
  files = ["batch.bin"]
}
model "LeNet" "net" { width = 1 }
stage "float" {
  model      = model.net
  train_data = dataset.%s
  %s
  trainer {
    num_epochs = 1
    batch_size = 16
    optimizer "SGD" { lr = 0.1 }
  }
}
output "x" { value = %s }
`

// input is a file that the program reads: its path in the folder that the command is started in, and commands that read
// it.
type input struct {
	name, path string
	commands   []string // words; P is the pipeline
	data       string   // of the stage
	inside     string   // the stage's block
	value      string   // of the output
	folder     bool     // it may be a folder
	lenient    bool     // it is in a run's folder: for some commands it is not a mistake, for the others the message says what to do
}

func inputsOfAll() []input {
	const load = "model_convert_pipeline {\n converter \"LoadCheckpoint\" { checkpoint_path = \"f.safetensors\" }\n }"
	run := "run -out w P"
	return []input{
		{name: "pipeline", path: "f.hcl", commands: []string{"validate f.hcl", "bench f.hcl"}},
		{name: "a file of a pipeline", path: "d/f.hcl", commands: []string{"validate d", "run -out w d"}},
		{name: "values", path: "f.auto.qvars", commands: []string{"validate P"}},
		{name: "named values", path: "f.qvars", commands: []string{"validate -var-file f.qvars P"}},
		{name: "file", path: "f.txt", commands: []string{"validate P"}, value: `file("f.txt")`},
		{name: "filebase64", path: "f.txt", commands: []string{"validate P"}, value: `filebase64("f.txt")`},
		{name: "templatefile", path: "f.txt", commands: []string{"validate P"}, value: `templatefile("f.txt", {})`},
		{name: "checkpoint", path: "f.safetensors", commands: []string{"validate P", run}, inside: load},
		{name: "model", path: "f.safetensors", commands: []string{"show f.safetensors", "eval f.safetensors -data dataset.train P", "bench ./f.safetensors"}},
		{name: "resumed", path: "f.safetensors", commands: []string{"run -out done --resume f.safetensors done.hcl"}},
		{name: "manifest", path: "w/manifest.json", commands: []string{"show w", "plan -out w P", run}, lenient: true},
		{name: "checkpoint of a run", path: "done/qat/last.safetensors", commands: []string{"eval stage.qat.checkpoint.last -out done -data dataset.test done.hcl"}},
		{name: "a stage's checkpoint", path: "done/qat/last.safetensors", commands: []string{"show done", "plan -out done done.hcl", "run -out done done.hcl"}, lenient: true},
		{name: "a stage's folder", path: "done/qat", commands: []string{"show done", "plan -out done done.hcl", "run -out done done.hcl", "eval stage.qat.checkpoint.last -out done -data dataset.test done.hcl"}, lenient: true},
		{name: "folder of all kept results", path: "interrupted/.previous", commands: []string{"show interrupted", "run -out interrupted -stage qat -var lr=0.02 done.hcl"}, lenient: true},
		{name: "folder of kept results", path: "interrupted/.previous/qat", commands: []string{"show interrupted", "run -out interrupted -stage qat -var lr=0.02 done.hcl"}, lenient: true},
		{name: "lock", path: "done/lock", commands: []string{"run -out done done.hcl"}, lenient: true},
		{name: "events", path: "done/events.jsonl", commands: []string{"show done", "run -out done -force done.hcl"}, lenient: true},
		{name: "metrics", path: "done/metrics.jsonl", commands: []string{"show done", "run -out done -force done.hcl"}, lenient: true},
		{name: "data set", path: "data/train-images-idx3-ubyte", commands: []string{run}, data: "files"},
		{name: "data set's folder", path: "data", commands: []string{run}, data: "files", folder: true},
		{name: "batch", path: "data/batch.bin", commands: []string{run}, data: "batches"},
		{name: "text to format", path: "f.hcl", commands: []string{"fmt f.hcl", "fmt -check f.hcl"}, folder: true},
		{name: "text in a folder to format", path: "d/f.hcl", commands: []string{"fmt d", "fmt -recursive ."}},
		{name: "page", path: "d/language.md", commands: []string{"docs d"}},
		{name: "index of a dump", path: "dump/index.json", commands: []string{"eval done/qat/last.safetensors -data dataset.test -dump dump done.hcl"}},
	}
}

// TestNotFiles replaces every file that the program reads with something that is not a file: the program answers at
// once, names the file, and ends as after any mistake.
func TestNotFiles(t *testing.T) {
	t.Parallel()
	for kind, make := range notFiles {
		t.Run(kind, func(t *testing.T) {
			for i, in := range inputsOfAll() {
				if kind == "folder" && in.folder {
					continue
				}
				if at := slices.Index(seldom, kind); at >= 0 && (i+at)%2 == 0 && os.Getenv("QPIPE_LONG") == "" {
					continue
				}
				t.Run(in.name, func(t *testing.T) { t.Parallel(); in.try(t, make) })
				if kind == "folder" && path.Ext(in.path) == "" && in.lenient {
					t.Run(in.name+" is a text", func(t *testing.T) { t.Parallel(); in.try(t, aText) })
				}
			}
		})
	}
}

func (in input) try(t *testing.T, make func(*testing.T, string)) {
	dir := t.TempDir()
	if strings.Contains(strings.Join(in.commands, " "), "done") {
		must(t, os.CopyFS(dir, os.DirFS(earlierFormats+"/manifest-2")))
		must(t, os.Rename(filepath.Join(dir, "complete"), filepath.Join(dir, "done")))
		must(t, os.Rename(filepath.Join(dir, "tiny.hcl"), filepath.Join(dir, "done.hcl")))
	}
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	text := fmt.Sprintf(notFilePipeline, or(in.data, "train"), in.inside, or(in.value, "var.x"))
	must(t, os.WriteFile(filepath.Join(dir, "P"), []byte(text), 0o600))
	at := filepath.Join(dir, filepath.FromSlash(in.path))
	must(t, os.MkdirAll(filepath.Dir(at), 0o700))
	must(t, os.RemoveAll(at))
	make(t, at)
	for _, command := range in.commands {
		m := bounded(t, dir, command)
		if m.over || m.Code != 1 && !(in.lenient && m.Code == 0) && m.Code != 2 {
			t.Errorf("%s: exit code %d, ended: %t\n%s", command, m.Code, m.over, m.said)
		}
		if m.Code != 0 && !strings.Contains(m.said, filepath.Base(at)) {
			t.Errorf("%s: does not name the file\n%s", command, m.said)
		}
		if m.Code == 1 && in.lenient && strings.HasPrefix(command, "run ") && !strings.Contains(strings.Join(strings.Fields(m.said), " "), "Move it away") {
			t.Errorf("%s: no way out\n%s", command, m.said)
		}
		if trace.MatchString(m.said) {
			t.Errorf("%s: a trace\n%s", command, m.said)
		}
		if m.Memory > 256<<20 {
			t.Errorf("%s: %d MiB of memory", command, m.Memory>>20)
		}
	}
}

// bounded runs a command line in the folder dir, for a limited time.
func bounded(t *testing.T, dir, command string) measurement {
	t.Helper()
	return measured(t, dir, 20*time.Second, append([]string{"QPIPE_KERNELS=portable"}, strings.Fields(command)...)...)
}

// TestNamedPipes: a pipeline and a file of values on the command line may be pipes.
func TestNamedPipes(t *testing.T) {
	dir := t.TempDir()
	text := fmt.Sprintf(notFilePipeline, "train", "", "var.x")
	for _, name := range []string{"p.hcl", "v.qvars"} {
		must(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
	}
	for path, content := range map[string]string{"p.hcl": text, "v.qvars": `x = "of a pipe"`} {
		go func() { _ = os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600) }()
	}
	if m := bounded(t, dir, "validate -var-file v.qvars p.hcl"); m.over || m.Code != 0 {
		t.Errorf("exit code %d\n%s", m.Code, m.said)
	}
	bash := exec.Command("bash", "-c", `qpipe validate -var-file <(echo 'x = 1') <(cat; true) && qpipe validate -var-file <(true) /dev/stdin <<<"$TEXT"`)
	bash.Stdin, bash.Env = strings.NewReader(text), append(os.Environ(), "TEXT="+text)
	if out, err := bash.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFileSets: functions that list files see only regular files.
func TestFileSets(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "sound.txt"), nil, 0o600))
	var names []string
	for kind, make := range notFiles {
		name := strings.ReplaceAll(kind, " ", "-") + ".txt"
		make(t, filepath.Join(dir, name))
		names = append(names, fmt.Sprintf("%q", name))
	}
	slices.Sort(names)
	value := fmt.Sprintf(`fileset(".", "*.txt") == toset(["sound.txt"]) && !anytrue([for f in [%s] : fileexists(f)]) ? "" : file("wrong")`, strings.Join(names, ", "))
	must(t, os.WriteFile(filepath.Join(dir, "P"), []byte(fmt.Sprintf(notFilePipeline, "train", "", value)), 0o600))
	if m := bounded(t, dir, "validate P"); m.over || m.Code != 0 {
		t.Errorf("exit code %d\n%s", m.Code, m.said)
	}
}

// TestNamesThatAreNoText: a file whose name is not UTF-8 is reported by name, and not read.
func TestNamesThatAreNoText(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "P"), []byte(fmt.Sprintf(notFilePipeline, "train", "", "var.x")), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "d", "sound.hcl"), nil, 0o600))
	for path, commands := range map[string][]string{
		"d/\xff.hcl":       {"validate d", "fmt d", "validate d/\xff.hcl", "fmt d/\xff.hcl"},
		"\xff.auto.qvars":  {"validate P"},
		"\xff.qvars":       {"validate -var-file \xff.qvars P", "fmt ."},
		"\xff.safetensors": {"show \xff.safetensors"},
	} {
		full := filepath.Join(dir, path)
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			t.Skip("this file system has no such names:", err)
		}
		for _, command := range commands {
			if m := bounded(t, dir, command); m.Code != 1 || !strings.Contains(m.said, `\xff`) && !strings.Contains(m.said, "�") {
				t.Errorf("%q: exit code %d\n%s", command, m.Code, m.said)
			}
		}
		must(t, os.Remove(full))
	}
}
