package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// imagePipeline trains on images of a folder, in two epochs of random crops.
func imagePipeline(root, settings, split, args string) string {
	return fmt.Sprintf(`
qpipe { %s }
dataset "ImageFolder" "train" {
  root = %q
  split = %q
  %s
  transform "RandomResizedCrop" { size = 16 }
  transform "RandomFlip" {}
}
model "LeNet" "net" {
  width = 2
}
stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.train
  trainer {
    num_epochs = 2
    batch_size = 8
    optimizer "SGD" { lr = 0.01 }
  }
}
`, settings, root, split, args)
}

// verb runs a verb on a pipeline and returns what it prints and its exit code.
func verb(t *testing.T, file, text string, args ...string) (string, int) {
	t.Helper()
	must(t, os.WriteFile(file, []byte(text), 0o600))
	var out bytes.Buffer
	code := cli.Main(append(args, file), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out, Environ: environ()}, stdlib.Catalog())
	return out.String(), code
}

// TestImageRun: a training on image files gives the same bytes for any number of threads, and whether broken files are
// skipped or not there; a broken file ends it by name, and a changed one runs it again.
func TestImageRun(t *testing.T) {
	dir := imageFolder(t, 3)
	var first []byte
	for i, c := range []struct{ settings, args string }{{"threads = 1", `on_error = "skip"`}, {"threads = 3", `on_error = "skip"`}, {"", ""}} {
		if i == 2 {
			must(t, os.Remove(filepath.Join(dir, "val/a/broken.jpg")))
		}
		out := t.TempDir()
		text, code := verb(t, filepath.Join(t.TempDir(), "p.hcl"), imagePipeline(dir, c.settings, "val", c.args), "run", "-out", out)
		if code != 0 || (i < 2) != strings.Contains(text, "QP433") || i < 2 && !strings.Contains(text, "1 of 31 files are left out") {
			t.Fatalf("%v: exit code %d\n%s", c, code, text)
		}
		got := read(filepath.Join(out, "float/last.safetensors"))
		if i == 0 {
			first = weightsOf(t, got)
		} else if !bytes.Equal(first, weightsOf(t, got)) {
			t.Errorf("%v: other weights", c)
		}
	}
	file := filepath.Join(dir, "val/b/1.png")
	was := read(file)
	pipeline, out, hcl := imagePipeline(dir, "", "val", ""), t.TempDir(), filepath.Join(t.TempDir(), "p.hcl")
	for _, step := range []struct {
		content []byte
		want    string
		code    int
	}{
		{was, "first run", 0},
		{was, "up to date", 0},
		{was[:100], "val/b/1.png is a damaged PNG image", 1},
		{was, "restored", 0},
		{read(filepath.Join(dir, "val/b/11.png")), "the files of train_data changed", 0},
	} {
		must(t, os.WriteFile(file, step.content, 0o600))
		if text, code := verb(t, hcl, pipeline, "run", "-out", out); (code != 0) != (step.code != 0) || !strings.Contains(text, step.want) {
			t.Errorf("want %q, exit code %d\n%s", step.want, code, text)
		}
	}
}

// weightsOf is a checkpoint without its head, which has the text of the pipeline in it.
func weightsOf(t *testing.T, file []byte) []byte {
	t.Helper()
	n := 8 + int(file[0]) + int(file[1])<<8 + int(file[2])<<16
	if n >= len(file) {
		t.Fatal("no weights")
	}
	return file[n:]
}

// TestImageValidate: what validate says of image files, with and without them.
func TestImageValidate(t *testing.T) {
	dir := imageFolder(t, 4)
	text := imagePipeline(dir, "", "train", "")
	for _, c := range []struct{ old, put, want string }{
		{"", "", "valid"},
		{dir, "nowhere", "valid"},
		{"width = 2", "num_classes = 9", "LeNet gives 9 values, but the data has 10 classes"},
		{"width = 2", "num_classes = 11", "LeNet gives 11 values, but the data has 10 classes"},
		{`transform "RandomResizedCrop" { size = 16 }`, "", `transform "Resize" { size = [224, 224] }`},
		{`"RandomResizedCrop"`, `"RandomCrop"`, "put a Resize in front of it, or set pad_if_needed = true"},
	} {
		if got, _ := verb(t, filepath.Join(t.TempDir(), "p.hcl"), strings.Replace(text, c.old, c.put, 1), "validate"); !strings.Contains(strings.Join(strings.Fields(got), " "), c.want) {
			t.Errorf("want %s\n%s", c.want, got)
		}
	}
}

// TestSignDigits: the pipeline of sign-digits, with few small images and short: it goes from a folder of JPEG files, some turned and of
// nine million pixels, to an int8 model that has the accuracy of the trained one. `make long` runs the pipeline as it is, and asks for 93.5 %.
func TestSignDigits(t *testing.T) {
	root, err := os.Getwd()
	must(t, err)
	dir := filepath.Join(sharedFolder(root), "data", "sign-digits")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the images are missing: %v", err)
		}
		t.Skipf("no images: %v (set QPIPE_SHARED)", err)
	}
	text := string(read("pipelines/sign_digits.hcl"))
	for _, change := range [][2]string{
		{"  root = var.data_dir\n", "  root = var.data_dir\n  max_samples = 192\n"},
		{"48", "24"},
		{"> 0.935", ">= 0"},
		{"num_epochs = 8", "num_epochs = 1"},
		{`"epoch 5"`, `"step 1"`},
		{`"epoch 6"`, `"step 2"`},
		{"num_steps = 20", "num_steps = 2"},
		{"width       = 16", "width       = 4"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("the pipeline has no %q", change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	if got, code := verb(t, filepath.Join(t.TempDir(), "p.hcl"), text, "run", "-out", t.TempDir(), "-var", "data_dir="+dir, "-var", "num_epochs=1"); code != 0 {
		t.Errorf("exit code %d\n%s", code, got)
	}
}
