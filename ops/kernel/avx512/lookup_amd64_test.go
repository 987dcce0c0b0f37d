package avx512

import (
	"bytes"
	"testing"

	"golang.org/x/sys/cpu"
)

// TestLookups: both ways of reading a table give what it has, also the one that a processor with AVX512_VBMI does not use.
func TestLookups(t *testing.T) {
	if !cpu.X86.HasAVX512BW || !cpu.X86.HasAVX512VL {
		t.Skip("this processor has no AVX-512")
	}
	loops := map[string]func(x, table, y *uint8, n int){"shuffle": lookup}
	if cpu.X86.HasAVX512VBMI {
		loops["permute"] = lookupPermute
	}
	var table [256]uint8
	x, y, want := make([]uint8, 320), make([]uint8, 320), make([]uint8, 320)
	for i := range table {
		table[i] = uint8(i*167 + i*i/3)
	}
	for i := range x {
		x[i] = uint8(i * 93)
		want[i] = table[x[i]]
	}
	for name, f := range loops {
		for n := 64; n <= len(x); n += 64 {
			clear(y)
			f(&x[0], &table[0], &y[0], n)
			if !bytes.Equal(y[:n], want[:n]) || !bytes.Equal(y[n:], make([]uint8, len(x)-n)) {
				t.Errorf("%s of %d elements gives %v", name, n, y)
			}
		}
	}
}
