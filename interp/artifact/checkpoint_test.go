package artifact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// full is a snapshot in which every field says something.
func full() *checkpoint.Snapshot {
	f := func(name string, shape []int, x ...float32) nn.Tensor {
		return nn.Tensor{Name: name, Shape: shape, Data: x}
	}
	return &checkpoint.Snapshot{
		Stage: "qat", Form: nn.QAT, Mode: nn.ReverseFold, Structure: []byte(`{"nodes":["\"sha256\":\"x\""]}`),
		Inputs:  []part.Preprocessing{{Height: 1, Width: 2, Channels: 1, Layout: "NHWC", Colors: "gray", Mean: []float64{0.1}, Std: []float64{0.3}}},
		Classes: [][]string{{"no", "yes"}},
		Seed:    -7, Epoch: 3, Step: 1200, LR: 0.1, Kernels: "portable",
		Absorbed: []checkpoint.Absorption{{Module: "a.conv", BN: "a.bn", Mode: nn.ReverseFold, WeightScale: "keep", Epoch: 1, Step: 400, MaxChange: 1e-7, MaxSteps: 0.5}},
		FrozenBN: []string{"b.bn"},
		Position: checkpoint.Position{Hooks: 2, Validated: 1200, LossSum: 0.1 + 0.2, Images: 77},
		Metrics:  map[string]float64{"accuracy": 0.1 + 0.7, "loss": math.NaN()},
		Best:     map[string]float64{"accuracy": 1.0 / 3},
		Callbacks: []checkpoint.CallbackState{
			{Name: "FuseBN[0]"}, {Name: "Checkpoint[0]", State: map[string]float64{"best": math.Inf(-1)}}, {Name: "Odd[0]", State: map[string]float64{}},
		},
		Model: []nn.Tensor{
			f("a.conv.weight", []int{1, 2, 1, 2}, 1, -2, float32(math.Copysign(0, -1)), 1e-45),
			f("a.scale", []int{}, 3),
			{Name: "b.acc", Shape: []int{2}, Data: []int32{math.MinInt32, 7}},
			{Name: "b.weight", Shape: []int{3}, Data: []int8{-128, 0, 127}},
			f("none", []int{0, 4}, []float32{}...),
		},
		Shadow:    []nn.Tensor{f("a.conv.weight", []int{2}, float32(math.Inf(1)), 2)},
		Optimizer: map[string][]nn.Tensor{"momentum_buffer": {f("a.conv.weight", []int{1}, 0.5)}},
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	want := full()
	for f := range reflect.TypeFor[checkpoint.Snapshot]().NumField() {
		if reflect.ValueOf(want).Elem().Field(f).IsZero() {
			t.Errorf("the test leaves %s empty: fill it", reflect.TypeFor[checkpoint.Snapshot]().Field(f).Name)
		}
	}
	data, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode("x", data)
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
	if d := cmp.Diff(want, got, same); d != "" {
		t.Errorf("not the same after writing and reading (-want +got):\n%s", d)
	}
	for range 10 {
		again, _ := Encode(full())
		if !bytes.Equal(again, data) {
			t.Fatal("the same snapshot gave other bytes")
		}
	}
}

// TestEveryFlippedBit and every cut is refused, with the file's name.
func TestEveryFlippedBit(t *testing.T) {
	s := full()
	s.Structure = []byte(`{}`)
	data, _ := Encode(s)
	refused := func(what string, i int, data []byte) {
		t.Helper()
		_, err := Decode("dir/last.safetensors", data)
		var f *FileError
		if !errors.As(err, &f) || !strings.HasPrefix(err.Error(), "dir/last.safetensors: ") {
			t.Fatalf("%s %d: %v", what, i, err)
		}
	}
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			refused("bit flipped in byte", i, bad)
		}
		refused("cut at", i, data[:i])
	}
	refused("longer by", 1, append(bytes.Clone(data), 0))
}

func TestRefusals(t *testing.T) {
	sound, _ := Encode(full())
	huge := binary.LittleEndian.AppendUint64(nil, 1<<40)
	other := bytes.Replace(bytes.Clone(sound), []byte(`"format_version":"2"`), []byte(`"format_version":"3"`), 1)
	plainFile := []byte(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  `)
	plainFile = append(binary.LittleEndian.AppendUint64(nil, uint64(len(plainFile))), append(plainFile, 0, 0, 0, 0)...)
	for _, c := range []struct {
		name, says string
		code       diag.Code
		data       []byte
	}{
		{"empty", "cut short", diag.Damaged, nil},
		{"huge header", "the header claims 1099511627776 bytes", diag.Damaged, huge},
		{"version", `format version "3"`, diag.UnknownFormat, other},
		{"foreign", "not a checkpoint of qpipe", diag.NotCheckpoint, plainFile},
		{"a Git LFS pointer", "`git lfs pull`", diag.NotCheckpoint, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")},
		{"a page", "a web page", diag.NotCheckpoint, []byte("\n<!doctype html>\n<title>404</title>")},
		{"a PyTorch file", "safetensors.torch.save_file", diag.NotCheckpoint, []byte("PK\x03\x04\x00\x00\x08\x08archive/data.pkl")},
		{"an old PyTorch file", "a pickle", diag.NotCheckpoint, []byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")},
		{"gzip", "a gzip file", diag.NotCheckpoint, []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")},
		{"text", "", diag.Damaged, []byte("#!/bin/sh\necho this is not a checkpoint\n")},
	} {
		path := filepath.Join(t.TempDir(), "f.safetensors")
		must(t, os.WriteFile(path, c.data, 0o600))
		_, err := Read(path)
		var f *FileError
		if !errors.As(err, &f) || f.Code != c.code || f.Path != path || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder; name the file in it") {
		t.Error(err)
	}
	if _, err := Read(filepath.Join(t.TempDir(), "gone")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "pt.safetensors")
	must(t, os.WriteFile(path, plainFile, 0o600))
	s, err := ReadWeights(path, true)
	if err != nil || len(s.Model) != 1 || s.Form != nn.Float {
		t.Errorf("weights of another tool: %v, %v", s, err)
	}
}

// TestPeek: the header alone says all but the data.
func TestPeek(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	if err := Write(path, full()); err != nil {
		t.Fatal(err)
	}
	got, err := Peek(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Form != nn.QAT || len(got.Absorbed) != 1 || len(got.Model) != len(full().Model) || len(got.Shadow) != 1 {
		t.Errorf("%+v", got)
	}
	for i, w := range full().Model {
		if g := got.Model[i]; g.Name != w.Name || len(g.Shape) != len(w.Shape) || reflect.ValueOf(g.Data).Len() != 0 || reflect.TypeOf(g.Data) != reflect.TypeOf(w.Data) {
			t.Errorf("%+v", g)
		}
	}
	data, _ := os.ReadFile(path)
	must(t, os.WriteFile(path, data[:len(data)-1], 0o600))
	if _, err := Peek(path); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	sound, _ := Encode(full())
	f.Add(sound)
	f.Add([]byte{})
	head := []byte(`{"__metadata__":{"format_version":"1","sha256":"00"},"a":{"dtype":"F32","shape":[18446744073709551615,0],"data_offsets":[0,0]}}`)
	f.Add(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...))
	path := filepath.Join(f.TempDir(), "f")
	f.Fuzz(func(t *testing.T, data []byte) {
		if os.WriteFile(path, data, 0o600) != nil {
			t.Skip()
		}
		for _, err := range []error{second(Read(path)), second(ReadWeights(path, false)), second(Describe(path)), second(Peek(path))} {
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Fatalf("an error that does not name the file: %v", err)
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }
