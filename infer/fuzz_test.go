package infer_test

import (
	"os"
	"testing"

	"qpipe/infer"
)

// FuzzRead: whatever the bytes are, there is an error, or a model that runs.
func FuzzRead(f *testing.F) {
	for _, name := range []string{
		"../testdata/formats/manifest-2/complete/int_infer/int8.safetensors", "../testdata/formats/manifest-2/complete/float/best.safetensors",
		"../onnx/importer/testdata/branches.onnx", "../onnx/importer/testdata/adaptive.onnx",
	} {
		data, err := os.ReadFile(name)
		must(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := infer.Read(data)
		if err != nil {
			return
		}
		need, err := m.Memory(infer.Options{})
		if err != nil || need > 64<<20 {
			return
		}
		s, err := m.NewSession(infer.Options{})
		if err != nil {
			return
		}
		defer s.Close()
		var pix [][]uint8
		var x [][]float32
		for k, in := range m.Inputs() {
			n := in.Height * in.Width * in.Channels
			pix, x = append(pix, make([]uint8, n)), append(x, make([]float32, n))
			if r, err := m.NewReader(k); err == nil {
				_, _ = r.Read(data)
			}
		}
		if _, err := s.Run(x...); err != nil {
			t.Error(err)
		}
		_, _ = s.RunPixels(pix...) // values may be unknown
	})
}
