package artifact_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/disk"
	"qpipe/lang/vary"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/portable"
	"qpipe/ops/nn"
)

// asked is how many bytes f asks for, and some MiB at most that the fuzzing itself does meanwhile.
func asked(f func()) int64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	before := s[0].Value.Uint64()
	f()
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - before)
}

// checkpoints are sound files of every form: as earlier versions wrote them, and as
// this one does.
func checkpoints(f *testing.F) (all [][]byte) {
	f.Helper()
	for _, pattern := range []string{"testdata/*.safetensors", "../../testdata/formats/*/*/*/*.safetensors"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			s, err := artifact.Decode(path, data)
			if err != nil {
				f.Fatal(err)
			}
			now, err := artifact.Encode(s)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, data, now)
		}
	}
	return all
}

// sealed puts a file together, with the hash that belongs to it.
func sealed(head, data []byte) []byte {
	var raw struct {
		Meta map[string]any `json:"__metadata__"`
	}
	_ = json.Unmarshal(head, &raw) // what is no header has no hash
	hash, _ := raw.Meta["sha256"].(string)
	file := vary.Join(head, data)
	old := []byte(`"sha256":"` + hash + `"`)
	zeros := strings.Repeat("0", 64)
	file = bytes.Replace(file, old, []byte(`"sha256":"`+zeros+`"`), 1)
	return bytes.Replace(file, []byte(zeros), []byte(disk.Sum(file)), 1)
}

// FuzzSealed changes what checkpoints say, and gives them the hash that belongs to
// it: whoever makes a file can do that. A file is refused by name, or is read: it then
// takes memory in proportion, is written as it was read, and its model computes.
func FuzzSealed(f *testing.F) {
	all := checkpoints(f)
	for i := range all {
		f.Add(byte(i), []byte{}, byte(0), []byte{}, uint16(0), byte(0))
		for how := range 8 {
			f.Add(byte(i), []byte{byte(17 * how), 0, byte(how), 5}, byte(how), []byte{byte(3 * how), 0, byte(how), 1}, uint16(40*how), byte(how))
		}
	}
	path := filepath.Join(f.TempDir(), "f.safetensors")
	f.Fuzz(func(t *testing.T, which byte, edits []byte, key byte, inner []byte, at uint16, flip byte) {
		head, data := vary.Split(all[int(which)%len(all)])
		head, data = vary.Header(head, edits, key, inner), slices.Clone(data)
		if len(data) > 0 {
			data[int(at)%len(data)] ^= flip
		}
		file := sealed(head, data)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		most := 16<<20 + 50*int64(len(file))
		var s *checkpoint.Snapshot
		var err error
		for name, read := range map[string]func() error{
			"Decode":      func() error { s, err = artifact.Decode(path, file); return err },
			"Peek":        func() error { _, err := artifact.Peek(path); return err },
			"Describe":    func() error { _, err := artifact.Describe(path); return err },
			"ReadWeights": func() error { _, err := artifact.ReadWeights(path, false); return err },
		} {
			used := asked(func() {
				if err := read(); err != nil && !strings.Contains(err.Error(), path) {
					t.Errorf("%s: an error that does not name the file: %v", name, err)
				}
			})
			if used > most {
				t.Errorf("%s: %d bytes of memory for a file of %d", name, used, len(file))
			}
		}
		if err != nil {
			return
		}
		sameAgain(t, s)
		evaluates(t, s)
	})
}

// sameAgain writes what was read, and reads it again.
func sameAgain(t *testing.T, s *checkpoint.Snapshot) {
	once, err := artifact.Encode(s)
	if err != nil {
		return // a type that is passed over has no data to write
	}
	again, err := artifact.Decode("again", once)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if twice, err := artifact.Encode(again); err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("written twice it differs: %v", err)
	}
}

// evaluates makes the model of a snapshot again, where it is small, and runs it.
func evaluates(t *testing.T, s *checkpoint.Snapshot) {
	for _, averaged := range []bool{false, true} {
		g, err := checkpoint.Restore(s, averaged)
		if err != nil || g.Bytes() > 1<<20 {
			continue
		}
		if in := g.Input(); engine.Need(g, 1, engine.Use{Set: portable.Set(), Workers: 1}) > 1<<22 || in.H*in.W*in.C > 1<<16 {
			continue
		}
		pool := engine.NewWorkers(1)
		net, err := engine.Compile(g, 1, false, portable.Set(), pool)
		if err == nil {
			net.Forward(make([]float32, g.Input().WithN(1).Len()), 1, engine.Eval)
		}
		pool.Close()
		if g.Form() == nn.QAT || g.Form() == nn.Calibration {
			if c, err := g.Convert(); err == nil && c.Form() != nn.Quantized {
				t.Errorf("converted to %s", c.Form())
			}
		}
	}
}

// FuzzDumpIndex changes the index of a dump that lies where a new one goes: whatever it
// lists, nothing beside the dump is touched, and the new one is whole or not there.
func FuzzDumpIndex(f *testing.F) {
	index, err := json.Marshal(artifact.DumpIndex{
		DumpVersion: artifact.DumpVersion, Model: "m", Data: "dataset.test", Form: "float", Images: 2,
		Arrays: []artifact.DumpArray{{File: "images.npy", DType: "float32", Shape: []int{2}}, {File: "nodes/x.npy", Node: "x", DType: "int8", Shape: []int{2}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	for how := range 8 {
		for at := range 8 {
			f.Add([]byte{byte(at), 0, byte(how), byte(at + 3)}, []byte(nil))
		}
	}
	f.Add([]byte(nil), []byte(`{"dump_version":1,"arrays":[{"file":"../mine.npy"},{"file":"nodes/../../mine.npy"}]}`))
	f.Add([]byte(nil), []byte("{"))
	f.Fuzz(func(t *testing.T, edits, text []byte) {
		dir := t.TempDir()
		if len(text) == 0 {
			text = vary.JSON(index, edits)
		}
		put := func(name string, data []byte) {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("mine.npy", []byte("mine"))
		put("dump/images.npy", nil)
		put("dump/nodes/x.npy", nil)
		put("dump/index.json", text)
		out := filepath.Join(dir, "dump")
		w, err := artifact.NewDump(disk.Options{NoSync: true}, out)
		if err == nil {
			var array int
			if array, err = w.Array(artifact.DumpArray{File: w.NodeFile("y"), DType: "int8", Shape: []int{1}}); err == nil {
				err = w.Append(array, []int8{7})
			}
			if err == nil {
				err = w.Commit()
			}
			w.Discard()
		}
		if err != nil && !strings.Contains(err.Error(), out) {
			t.Errorf("an error that does not name the folder: %v", err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "mine.npy")); err != nil || string(got) != "mine" {
			t.Errorf("a file beside the dump: %q, %v", got, err)
		}
		if _, lost := os.Stat(filepath.Join(out, "index.json")); lost != nil {
			t.Errorf("no dump is left: %v", lost)
		}
		if _, left := os.Stat(filepath.Join(out, "nodes", "y.npy")); (left == nil) != (err == nil) {
			t.Errorf("Commit says %v, the new array: %v", err, left)
		}
	})
}
