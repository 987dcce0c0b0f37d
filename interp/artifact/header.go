package artifact

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// entry is a tensor in a safetensors header.
type entry struct {
	name       string
	dtype      string // "F32", …, or one that this program does not know
	shape      []int
	begin, end uint64 // in the data after the header
	data       []byte // if it was read separately
}

// metaKey is the header's key that is not a tensor.
const metaKey = "__metadata__"

// elementSize is the number of bytes of an element, for the safetensors dtypes that can be read or skipped.
func elementSize(dtype string) (int, bool) {
	n, ok := map[string]int{
		"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
		"I16": 2, "U16": 2, "F16": 2, "BF16": 2,
		"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
	}[dtype]
	return n, ok
}

// decodeHeader reads a safetensors header: its texts and its tensors, sorted by name. The tensors must fill the data,
// whose size is given, without a gap.
func decodeHeader(head []byte, size uint64) (meta map[string]string, tensors []entry, err error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(head, &raw); err != nil {
		return nil, nil, err
	}
	for _, name := range sortedKeys(raw) {
		if name == metaKey {
			if err := json.Unmarshal(raw[name], &meta); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", metaKey, err)
			}
			continue
		}
		e, err := decodeEntry(name, raw[name])
		if err != nil {
			return nil, nil, fmt.Errorf("the tensor %q: %w", clip(name), err)
		}
		tensors = append(tensors, e)
	}
	return meta, tensors, gapless(tensors, size)
}

func decodeEntry(name string, text []byte) (entry, error) {
	var t struct {
		DType   *string     `json:"dtype"`
		Shape   []uint64    `json:"shape"`
		Offsets *[2]*uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return entry{}, err
	}
	if t.DType == nil || t.Shape == nil || t.Offsets == nil || t.Offsets[0] == nil || t.Offsets[1] == nil {
		return entry{}, fmt.Errorf("dtype, shape or data_offsets is missing")
	}
	e := entry{name: name, dtype: *t.DType, begin: *t.Offsets[0], end: *t.Offsets[1]}
	count := 1.0
	for _, d := range t.Shape {
		if d > math.MaxInt32 {
			return entry{}, fmt.Errorf("a dimension of %d", d)
		}
		e.shape, count = append(e.shape, int(d)), count*float64(d)
	}
	if e.end < e.begin {
		return entry{}, fmt.Errorf("its data ends before it begins")
	}
	if n, known := elementSize(e.dtype); known && count*float64(n) != float64(e.end-e.begin) {
		return entry{}, fmt.Errorf("its shape needs %.0f bytes, it has %d", count*float64(n), e.end-e.begin)
	}
	return e, nil
}

// gapless checks that the tensors follow each other and fill the data.
func gapless(tensors []entry, size uint64) error {
	order := slices.Clone(tensors)
	slices.SortFunc(order, func(a, b entry) int {
		switch {
		case a.begin != b.begin && a.begin < b.begin, a.begin == b.begin && a.end < b.end:
			return -1
		case a.begin == b.begin && a.end == b.end:
			return strings.Compare(a.name, b.name)
		}
		return 1
	})
	at := uint64(0)
	for _, e := range order {
		if e.begin != at {
			return fmt.Errorf("the tensor %q begins at byte %d, where the one before ends at %d", clip(e.name), e.begin, at)
		}
		at = e.end
	}
	if at != size {
		return fmt.Errorf("cut short or grown: its header accounts for %d bytes of tensors, the file has %d", at, size)
	}
	return nil
}
