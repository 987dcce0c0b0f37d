package artifact

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"qpipe/interp/checkpoint"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// safetensor writes a file with that header, or that length of one, and size bytes of data,
// which take no room on the disk.
func safetensor(t *testing.T, length uint64, header []byte, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	data := append(binary.LittleEndian.AppendUint64(nil, length), header...)
	err := os.WriteFile(path, data, 0o600)
	if err == nil {
		err = os.Truncate(path, int64(len(data))+size)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// hostile are safetensors files whose numbers are not believed, with what is said of them.
func hostile(t *testing.T) map[string][2]string {
	t.Helper()
	files := map[string][2]string{}
	for _, n := range []uint64{maxHeader + 1, math.MaxInt32, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 7, math.MaxUint64} {
		files[fmt.Sprint("a header of ", n)] = [2]string{safetensor(t, n, []byte("{}"), 100), "the header claims"}
	}
	add := func(name, header string, size int64, says string) {
		files[name] = [2]string{safetensor(t, uint64(len(header)), []byte(header), size), says}
	}
	add("3 GiB more than its header accounts for", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 3<<30, "accounts for 4 bytes")
	add("a product that overflows", `{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647,4],"data_offsets":[0,4]}}`, 4, "its shape needs")
	add("offsets at the end of uint64", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}}`, 4, "")
	add("a number beyond all integers", `{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}`, 4, "")
	add("nested", `{"a":`+strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)+"}", 0, "exceeded max depth")
	return files
}

// TestNumbersOfAFile: a file whose header claims what is not there is refused at once,
// whoever reads it.
func TestNumbersOfAFile(t *testing.T) {
	for name, f := range hostile(t) {
		for reader, read := range map[string]func(string) error{
			"Peek":        func(p string) error { _, err := Peek(p); return err },
			"Read":        func(p string) error { _, err := Read(p); return err },
			"ReadWeights": func(p string) error { _, err := ReadWeights(p, false); return err },
			"Describe":    func(p string) error { _, err := Describe(p); return err },
		} {
			var err error
			used := allocated(func() { err = read(f[0]) })
			if err == nil || !strings.Contains(err.Error(), f[1]) || used > 16<<20 {
				t.Errorf("%s, %s: %d bytes are allocated, and it says %v", name, reader, used, err)
			}
		}
	}
}

// TestMemoryOfReading: of a file of any type a reader takes at most four times its
// size, and of a header a hundred times, garbage included. What a file holds is
// told in little memory, however large it is.
func TestMemoryOfReading(t *testing.T) {
	const n = 2 << 20
	for dtype, size := range map[string]int{"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I8": 1, "I32": 4, "I64": 8} {
		header := fmt.Sprintf(`{"a":{"dtype":%q,"shape":[%d],"data_offsets":[0,%d]}}`, dtype, n, n*size)
		path := safetensor(t, uint64(len(header)), []byte(header), int64(n*size))
		if used := allocated(func() { _, _ = ReadWeights(path, false) }); used > 4*n*size {
			t.Errorf("%s: %d bytes of a file of %d are read", dtype, used, n*size)
		}
		runtime.GC()
		d, err := Describe(path)
		if err != nil || len(d.Tensors) != 1 || d.Tensors[0].Bytes != n*size {
			t.Fatalf("%s: %v, %v", dtype, d, err)
		}
	}
	tensors := map[string]any{}
	for i := range 20_000 {
		tensors[fmt.Sprint("t", i)] = map[string]any{"dtype": "F32", "shape": []int{0}, "data_offsets": []int{0, 0}}
	}
	header, err := json.Marshal(tensors)
	if err != nil {
		t.Fatal(err)
	}
	path := safetensor(t, uint64(len(header)), header, 0)
	if used := allocated(func() { _, err = ReadWeights(path, false) }); err != nil || used > 100*len(header) {
		t.Errorf("%d bytes are allocated for a header of %d, %v", used, len(header), err)
	}
}

// TestFarMoreThanTheNetwork: a checkpoint that holds far more than its network has is
// refused before it is read.
func TestFarMoreThanTheNetwork(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 1})
	g, err := b.Graph(b.Linear("fc", b.Input(), 2, true))
	if err != nil {
		t.Fatal(err)
	}
	g.Init(1)
	data, err := Encode(&checkpoint.Snapshot{Stage: "s", Form: nn.Float, Structure: g.Structure(), Model: g.Tensors()})
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	header := strings.TrimRight(string(data[8:8+n]), " ")
	size := int64(len(data)) - 8 - int64(n)
	header = strings.TrimSuffix(header, "}") + fmt.Sprintf(`,"more":{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]}}`, 1<<30, size, size+1<<30)
	path := safetensor(t, uint64(len(header)), []byte(header), size+1<<30)
	used := allocated(func() { _, err = Read(path) })
	if err == nil || !strings.Contains(err.Error(), "it holds 1024.0 MiB of tensors, and its network has 136 bytes") || used > 1<<20 {
		t.Errorf("%d bytes are allocated, and it says %v", used, err)
	}
}
