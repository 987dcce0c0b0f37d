package statedict

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/" + pattern)
	must(t, err)
	if len(names) == 0 {
		t.Fatal("no files: " + pattern)
	}
	return names
}

// TestFilesOfPyTorch: every tensor of the files that PyTorch has written is read as PyTorch says.
func TestFilesOfPyTorch(t *testing.T) {
	for _, path := range files(t, "*.json") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			must(t, err)
			var want []struct {
				Name, DType string
				Shape       []int
				Data        []any
			}
			must(t, json.Unmarshal(text, &want))
			data, err := os.ReadFile(strings.TrimSuffix(path, ".json") + ".pt")
			must(t, err)
			if !Is(data[:20]) {
				t.Error("not recognized")
			}
			f, err := Open(bytes.NewReader(data), int64(len(data)))
			must(t, err)
			if len(f.Tensors()) != len(want) {
				t.Fatalf("%d tensors, want %d", len(f.Tensors()), len(want))
			}
			for i, w := range want {
				got := f.Tensors()[i]
				if got.Name != w.Name || got.DType != w.DType || !slices.Equal(got.Shape, w.Shape) {
					t.Errorf("%s %s %v, want %s %s %v", got.Name, got.DType, got.Shape, w.Name, w.DType, w.Shape)
					continue
				}
				b, err := f.Bytes(i)
				must(t, err)
				if x := numbers(t, w.DType, b); !slices.Equal(x, plain(w.Data)) {
					t.Errorf("%s: %v, want %v", w.Name, x, w.Data)
				}
			}
		})
	}
}

// numbers are the values of elements.
func numbers(t *testing.T, dtype string, b []byte) []float64 {
	t.Helper()
	size := map[string]int{"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}[dtype]
	var list []float64
	for ; len(b) > 0; b = b[size:] {
		var wide [8]byte
		copy(wide[:], b[:size])
		x := binary.LittleEndian.Uint64(wide[:])
		switch dtype {
		case "F32":
			list = append(list, float64(math.Float32frombits(uint32(x))))
		case "F64":
			list = append(list, math.Float64frombits(x))
		case "BF16":
			list = append(list, float64(math.Float32frombits(uint32(x)<<16)))
		case "F16": // the tests have normal numbers and 0
			if list = append(list, 0); x != 0 {
				list[len(list)-1] = math.Ldexp(float64(x&0x3ff|0x400), int(x>>10&31)-25)
			}
		default:
			list = append(list, float64(int64(x<<(64-8*size))>>(64-8*size)))
		}
	}
	return list
}

func plain(data []any) []float64 {
	var list []float64
	for _, v := range data {
		switch v := v.(type) {
		case float64:
			list = append(list, v)
		case bool:
			list = append(list, map[bool]float64{true: 1}[v])
		}
	}
	return list
}

// TestRefused: other files get an error that names the way out.
func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"module.pt":        "class __main__.Net, which only its own program can read: save its weights, torch.save(model.state_dict(), path)",
		"module_inside.pt": `its "model" is a whole object of the class __main__.Net`,
		"list.pt":          "no dict of names and tensors",
		"script.pt":        "TorchScript",
	} {
		data, err := os.ReadFile("testdata/" + name)
		must(t, err)
		if _, err := Open(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// read reads everything of a file, which may be damaged.
func read(data []byte) {
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	for i := range f.Tensors() {
		_, _ = f.Bytes(i)
	}
}

// TestDamaged: no change of one byte and no cut makes the reader panic (FuzzOpen tries more).
func TestDamaged(t *testing.T) {
	for _, path := range files(t, "*.pt") {
		data, err := os.ReadFile(path)
		must(t, err)
		for i := 0; i < len(data); i += 7 {
			for _, v := range []byte{0, 0xff, data[i] ^ 1} {
				was := data[i]
				data[i] = v
				read(data)
				data[i] = was
			}
			read(data[:i])
		}
	}
}

// TestHostile: pickles that make much of little are refused, and cost no memory.
func TestHostile(t *testing.T) {
	legacy := func(pickle string) []byte { return []byte(legacyStart + pickle) }
	for name, data := range map[string][]byte{
		"a length beyond the file": legacy("\x80\x02X\xff\xff\xff\xff"),
		"a length of 2^63":         legacy("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"),
		"many lists":               legacy("\x80\x02" + strings.Repeat("]", 3<<20)),
		"many memos":               legacy("\x80\x04N" + strings.Repeat("\x94", 3<<20)),
		"a list in itself":         legacy("\x80\x02]q\x00h\x00a."),
		"an empty stack":           legacy("\x80\x02R"),
		"no mark":                  legacy("\x80\x02t"),
		"a memo that is not there": legacy("\x80\x02h\x01"),
		"a call of a number":       legacy("\x80\x02K\x01)R."),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Open(bytes.NewReader(data), int64(len(data))); err == nil {
			t.Errorf("%s: no error", name)
		}
		runtime.ReadMemStats(&after)
		if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 300 {
			t.Errorf("%s: %d MiB were allocated", name, mib)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, path := range files(f, "*.pt") {
		data, err := os.ReadFile(path)
		must(f, err)
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) { read(data) })
}
