package picture

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// FuzzDecode: whatever the bytes, there is no panic, an image has the size and the bytes that it says, and no more memory is
// taken than a bound for each pixel that is allowed.
func FuzzDecode(f *testing.F) {
	for _, file := range read(f).Files {
		f.Add(file.File)
	}
	const most = 1 << 14
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, m := Decoder{MostPixels: most}, Map{}
		err := d.Decode(data, 3, &m)
		labels, h, w, _ := d.Labels(data, nil)
		if len(labels) != h*w {
			t.Fatalf("%d labels of %d×%d", len(labels), h, w)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 128*most+128*uint64(len(data))+4<<20 {
			t.Fatalf("%d bytes taken for a file of %d: %v", n, len(data), err)
		}
		if err != nil {
			if !errors.Is(err, ErrFormat) && !strings.HasPrefix(err.Error(), "is a") {
				t.Fatalf("the message does not continue a name: %v", err)
			}
			return
		}
		if m.H < 1 || m.W < 1 || m.C != 3 || len(m.Pix) != m.H*m.W*3 || m.H*m.W > most {
			t.Fatalf("%d×%d×%d, %d bytes", m.H, m.W, m.C, len(m.Pix))
		}
	})
}
