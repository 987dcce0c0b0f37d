//go:build !amd64

package sets

// machine has the sets of other architectures, so that their names are known.
func machine() []row {
	return []row{{"avx2", "the amd64 instructions AVX2 and FMA", nil}, {"avx512", "the amd64 instructions AVX-512 and VNNI", nil}}
}
