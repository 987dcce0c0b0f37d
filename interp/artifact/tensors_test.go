package artifact

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// TestHalf holds every binary16 number against the definition of IEEE 754.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1-2*float64(h>>15), h>>10&31, float64(h&1023)
		want := sign * math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = sign * math.Ldexp(frac/1024, -14)
		case exp == 31 && frac == 0:
			want = math.Inf(int(sign))
		case exp == 31:
			want = math.NaN()
		}
		got := float64(half(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != math.Signbit(want) && !math.IsNaN(want) {
			t.Fatalf("%#04x is %g, want %g", h, got, want)
		}
	}
}

// foreign is another tool's file with one tensor of two elements.
func foreign(dtype string, data []byte) []byte {
	head := fmt.Sprintf(`{"w":{"dtype":%q,"shape":[2],"data_offsets":[0,%d]}}`, dtype, len(data))
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), data...)
}

// TestForeignTypes: every dtype of safetensors can be read or passed over, and says what it is.
func TestForeignTypes(t *testing.T) {
	f64 := func(a, b float64) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(a)), math.Float64bits(b))
	}
	for _, c := range []struct {
		dtype string
		data  []byte
		want  any
	}{
		{"F32", []byte{0, 0, 128, 63, 0, 0, 0, 192}, []float32{1, -2}},
		{"F16", []byte{0, 60, 0, 192}, []float32{1, -2}},
		{"BF16", []byte{128, 63, 0, 192}, []float32{1, -2}},
		{"F64", f64(1, 1.0/3), []float32{1, float32(1.0 / 3)}},
		{"I32", []byte{1, 0, 0, 0, 255, 255, 255, 255}, []int32{1, -1}},
		{"I8", []byte{1, 255}, []int8{1, -1}},
		{"BOOL", []byte{1, 0}, checkpoint.Unloadable{DType: "BOOL", Bytes: 2}},
		{"U8", []byte{1, 0}, checkpoint.Unloadable{DType: "U8", Bytes: 2}},
		{"F8_E5M2", []byte{1, 0}, checkpoint.Unloadable{DType: "F8_E5M2", Bytes: 2}},
		{"I16", make([]byte, 4), checkpoint.Unloadable{DType: "I16", Bytes: 4}},
		{"U64", make([]byte, 16), checkpoint.Unloadable{DType: "U64", Bytes: 16}},
		{"I64", make([]byte, 16), checkpoint.Unloadable{DType: "I64", Bytes: 16}},
		{"F4_OF_TOMORROW", []byte{7}, checkpoint.Unloadable{DType: "F4_OF_TOMORROW", Bytes: 1}},
	} {
		s, err := decoded(foreign(c.dtype, c.data))
		if err != nil {
			t.Errorf("%s: %v", c.dtype, err)
			continue
		}
		if got := s.Model[0].Data; fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", c.want, c.want) {
			t.Errorf("%s: %v, want %v", c.dtype, got, c.want)
		}
	}
	if _, err := decoded(foreign("F64", f64(1, 1e300))); err == nil || !strings.Contains(err.Error(), `"w": its value 1e+300 is beyond float32`) {
		t.Error(err)
	}
	if _, err := decoded(foreign("F16", []byte{1, 2, 3})); err == nil || !strings.Contains(err.Error(), "its shape needs 4 bytes, it has 3") {
		t.Error(err)
	}
	// What the model needs is never passed over.
	take := []nn.Tensor{{Name: "w", Shape: []int{2}, Data: []float32(nil)}}
	s, err := decoded(foreign("I64", make([]byte, 16)))
	must(t, err)
	m, err := checkpoint.Match(s.Model, take, part.LoadOptions{IgnoreExtra: true, AllowMiss: true, IgnoreTensorShape: true})
	must(t, err)
	if err := m.Err(""); err == nil || !strings.Contains(err.Error(), "w: the checkpoint has I64, the model float32") {
		t.Error(err)
	}
}

// decoded decodes the bytes of a file of any kind.
func decoded(data []byte) (*checkpoint.Snapshot, error) {
	c, err := parse("f", data)
	if err != nil {
		return nil, err
	}
	return decodeAny("f", data, c, true)
}
