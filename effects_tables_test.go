package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// npy is an array of bytes as NumPy saves it.
func npy(data []byte, shape string) []byte {
	head := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }", shape)
	head += strings.Repeat(" ", 117-len(head)) + "\n"
	return append(binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(head))), head+string(data)...)
}

// arrayFolder writes 30 images of noise, channel by channel, with labels, as arrays in files of their own and in two archives, and as tables.
func arrayFolder(t *testing.T, seed uint64) string {
	t.Helper()
	dir, r := t.TempDir(), rand.New(rand.NewPCG(seed, 5))
	write := func(name string, data []byte) { must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600)) }
	for _, archive := range []string{"a.npz", "b.npz"} {
		var b, text bytes.Buffer
		z := zip.NewWriter(&b)
		for _, split := range []string{"train", "val", "test"} {
			images, labels := make([]byte, 30*784), make([]byte, 30)
			for i := range images {
				images[i] = byte(r.IntN(256))
			}
			for i := range labels {
				labels[i] = byte(i % 10)
				fmt.Fprintf(&text, "%d", r.IntN(10))
				for _, v := range images[i*784+1:][:783] {
					fmt.Fprintf(&text, ",%d", v)
				}
				fmt.Fprintf(&text, ",%d\n", i%10)
			}
			for name, data := range map[string][]byte{"x_" + split + ".npy": npy(images, "30, 1, 28, 28"), "y_" + split + ".npy": npy(labels, "30,")} {
				write(name, data)
				w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
				must(t, err)
				_, err = w.Write(data)
				must(t, err)
			}
		}
		must(t, z.Close())
		write(archive, b.Bytes())
		write(strings.TrimSuffix(archive, ".npz")+".csv", text.Bytes())
	}
	return dir
}

// tableEffects has the attributes of arrays and tables.
func tableEffects(t *testing.T) map[string]effect {
	t.Helper()
	dir, all := arrayFolder(t, 1), map[string]effect{}
	pieces := map[string][2]string{
		"val_samples": {"val_samples = 4", "val_samples = 8"}, "seed": {"val_samples = 8\nseed = 1", "val_samples = 8\nseed = 2"},
		"offset": {"offset = 0", "offset = 8"}, "max_samples": {"max_samples = 24", "max_samples = 16"},
		"class_names": {"class_names = " + renamedClasses()[0], "class_names = " + renamedClasses()[1]},
		"root":        {fmt.Sprintf("root = %q", dir), fmt.Sprintf("root = %q", arrayFolder(t, 2))},
	}
	arrays := map[string][2]string{
		"split": {`split = "train"`, `split = "test"`}, "layout": {`layout = "NCHW"`, `layout = "NHWC"`}, "shape": {"shape = [28, 28, 1]", "shape = [14, 56, 1]"},
		"ignore": {"ignore = -1", "ignore = 3"}, "images": {`images = "x_train"`, `images = "x_val"`}, "labels": {`labels = "y_train"`, `labels = "x_train"`},
	}
	maps.Copy(arrays, pieces)
	npys := maps.Clone(arrays)
	npys["images"], npys["labels"] = [2]string{`images = "x_train.npy"`, `images = "x_val.npy"`}, [2]string{`labels = "y_train.npy"`, `labels = "x_train.npy"`}
	npzs := maps.Clone(arrays)
	npzs["file"] = [2]string{`file = "a.npz"`, `file = "b.npz"`}
	csvs := map[string][2]string{
		"file": {`file = "a.csv"`, `file = "b.csv"`}, "label": {`label = "-1"`, `label = "1"`}, "header": {`header = "no"`, `header = "yes"`}, "separator": {`separator = ","`, `separator = ";"`},
		"shape": {"shape = [28, 28, 1]", "shape = [28, 28, 2]"}, "split": {"val_samples = 8\nsplit = \"train\"", "val_samples = 8\nsplit = \"val\""},
	}
	maps.Copy(csvs, pieces)
	for name, attrs := range map[string]map[string][2]string{"NPY": npys, "NPZ": npzs, "CSV": csvs} {
		frame := map[string]string{"root": fmt.Sprintf("root = %q", dir), "layout": `layout = "NCHW"`, "file": `file = "a.npz"`}
		switch name {
		case "NPY":
			delete(frame, "file")
		case "CSV":
			delete(frame, "layout")
			frame["file"], frame["shape"] = `file = "a.csv"`, "shape = [28, 28, 1]"
		}
		with := func(attr, value string) string {
			text := value
			for key, line := range frame {
				if key != attr {
					text += "\n" + line
				}
			}
			return text
		}
		for attr, v := range attrs {
			s := func(value string) slots {
				return slots{"type": name, "train": with(attr, value), "test": with("", "max_samples = 20")}
			}
			all["dataset."+name+"."+attr] = effect{a: s(v[0]), b: s(v[1])}
		}
	}
	return all
}
