package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// most is the memory that a command line with a number at its extremes may take.
const most = 512 << 20

// TestRunsAtTheirExtremes: extreme numbers that plan accepts run to the end, to an error, or (a billion steps) until
// the test stops them, in little memory and without a stack trace. With QPIPE_LONG this is tested for every accepted
// number, otherwise for a billion.
func TestRunsAtTheirExtremes(t *testing.T) {
	table := effects(t)
	runs := make(chan struct{}, 10_000)
	t.Cleanup(func() {
		if len(runs) < 15 {
			t.Errorf("only %d runs", len(runs))
		}
	})
	for _, key := range slices.Sorted(maps.Keys(table)) {
		all := withExtremes(key, table[key])
		if os.Getenv("QPIPE_LONG") == "" {
			maps.DeleteFunc(all, func(value string, _ slots) bool { return value != "1000000000" })
		}
		if len(all) == 0 {
			continue
		}
		until := table[key].until
		if until == "" {
			until = "float"
		}
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			for value, s := range all {
				dir := t.TempDir()
				must(t, os.WriteFile(filepath.Join(dir, "x.hcl"), []byte(effectPipeline(s)), 0o600))
				var out bytes.Buffer
				streams := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out, Environ: environ(), Memory: func() int64 { return most }}
				if cli.Main([]string{"validate", filepath.Join(dir, "x.hcl")}, streams, stdlib.Catalog()) != 0 {
					continue
				}
				runs <- struct{}{}
				m := measured(t, dir, time.Second, "run", "-stage", until, "x.hcl")
				if !m.over && m.Code != 0 && m.Code != 1 || trace.MatchString(m.said) || m.Memory > most {
					t.Errorf("%s: exit code %d, %d MiB\n%.3000s", value, m.Code, m.Memory>>20, m.said)
				}
			}
		})
	}
}

// TestFlagsAtTheirExtremes is the same for every number on the command line.
func TestFlagsAtTheirExtremes(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "x.hcl"), []byte(effectPipeline(slots{})), 0o600))
	if m := measured(t, dir, time.Minute, "run", "x.hcl"); m.over || m.Code != 0 {
		t.Fatal(m.said)
	}
	for _, line := range []string{
		"run -force -stage float -out other -threads N x.hcl",
		"eval -data dataset.test -threads N stage.float.checkpoint.last x.hcl",
		"eval -data dataset.test -batch N stage.int8.checkpoint.int8 x.hcl",
		"eval -data dataset.test -images N stage.int8.checkpoint.int8 x.hcl",
		"bench -once -what float -threads N lenet",
		"bench -once -what float -batch N lenet",
		"bench -once -what int8 -batch N runs/x/int8/int8.safetensors",
		"bench -time Ns -threads 0 lenet",
		"bench-worker -batch N infer lenet",
		"bench-worker -threads N infer lenet",
		"bench-worker conv r18c_64-64_32 f32 N",
		"run -var x=N x.hcl",
		"show -stage N runs/x",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			for _, n := range append(extremes(), "1024", "4096") {
				args := strings.Fields(strings.ReplaceAll(line, "N", n))
				if m := measured(t, dir, 20*time.Second, args...); m.Code < 0 || m.Code > 2 || m.over || trace.MatchString(m.said) || m.Memory > most {
					t.Errorf("%q: exit code %d, %d MiB, ended: %t\n%.2000s", args, m.Code, m.Memory>>20, m.over, m.said)
				}
			}
		})
	}
}

// TestSizesOfFiles: sizes in a file that a data set, a stage, show or eval reads are not trusted.
func TestSizesOfFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, data []byte, size int64) {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, data, 0o600))
		must(t, os.Truncate(path, int64(len(data))+size))
	}
	header := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	write("less.safetensors", append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), 3<<30)
	header = fmt.Sprintf(`{"a":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, 50<<20, 200<<20)
	write("all.safetensors", append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), 200<<20)
	images := []byte{0, 0, 8, 3, 4, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28}
	write("data/train-images-idx3-ubyte", images, 1000)
	write("data/train-labels-idx1-ubyte", []byte{0, 0, 8, 1, 4, 0, 0, 0}, 1000)
	must(t, os.WriteFile(filepath.Join(dir, "x.hcl"), []byte(effectPipeline(slots{})), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "mnist.hcl"), []byte(effectPipeline(slots{"type": "MNIST", "train": "root = \"data\"", "test": "root = \"data\""})), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "load.hcl"), []byte(effectPipeline(slots{"load": `checkpoint_path = "less.safetensors"`})), 0o600))
	for line, want := range map[string]string{
		"show less.safetensors":                          "accounts for 4 bytes",
		"bench less.safetensors":                         "accounts for 4 bytes",
		"eval less.safetensors -data dataset.test x.hcl": "accounts for 4 bytes",
		"validate load.hcl":                              "accounts for 4 bytes",
		"bench all.safetensors":                          "not a checkpoint of qpipe",
		"eval all.safetensors -data dataset.test x.hcl":  "not a checkpoint of qpipe",
		"show all.safetensors":                           "200.00 MiB",
		"run -stage float mnist.hcl":                     "announces 67108864 items of 784 bytes, but holds 1 at most",
	} {
		m := measured(t, dir, 20*time.Second, strings.Fields(line)...)
		if !strings.Contains(strings.Join(strings.Fields(m.said), " "), want) || m.Code > 1 || m.over || m.Memory > 100<<20 {
			t.Errorf("%s: exit code %d, %d MiB\n%.1000s", line, m.Code, m.Memory>>20, m.said)
		}
	}
}
