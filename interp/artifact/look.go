package artifact

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"os"
	"slices"

	"qpipe/lang/diag"
)

// seen is what one pass over a file has found.
type seen struct {
	sum    string             // sha256 of the file
	values map[string]*values // by name, for tensors that are too large to be kept
}

// piece is how many bytes of a tensor are looked at at a time, a multiple of every
// element's size; a tensor of at most small bytes is kept.
const (
	piece = 1 << 20
	small = 1 << 12
)

// look reads a file once, piece by piece, and computes its hash and the extremes of its tensors' values. With check the
// hash recorded in the file must be right.
func look(path string, f *os.File, c *contents, check bool) (*seen, error) {
	unreadable := func(err error) error { return &FileError{path, diag.Unreadable, plain(err)} }
	whole, own := sha256.New(), sha256.New()
	head := make([]byte, 8+c.head)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, unreadable(err)
	}
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, unreadable(err)
	}
	whole.Write(head)
	want := c.meta[hashKey]
	at := hashAt(head, want)
	if check && (len(want) != 2*sha256.Size || at < 0) {
		return nil, damaged(path, "its sha256 is missing")
	}
	if check {
		copy(head[at:], noHash())
		own.Write(head)
	}
	s, both, buf := &seen{values: map[string]*values{}}, io.TeeReader(f, whole), make([]byte, piece)
	if check {
		both = io.TeeReader(both, own)
	}
	order := make([]*entry, len(c.tensors))
	for i := range c.tensors {
		order[i] = &c.tensors[i]
	}
	slices.SortFunc(order, func(a, b *entry) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end)) })
	for _, e := range order {
		left := e.end - e.begin
		if left <= small {
			e.data = make([]byte, left)
			if _, err := io.ReadFull(both, e.data); err != nil {
				return nil, unreadable(err)
			}
			continue
		}
		v := newValues()
		s.values[e.name] = v
		for left > 0 {
			b := buf[:min(left, piece)]
			if _, err := io.ReadFull(both, b); err != nil {
				return nil, unreadable(err)
			}
			t, err := e.tensor(b)
			if err != nil {
				return nil, damaged(path, "%w", err)
			}
			v.add(t.Data)
			left -= uint64(len(b))
		}
	}
	s.sum = hex.EncodeToString(whole.Sum(nil))
	if got := hex.EncodeToString(own.Sum(nil)); check && got != want {
		return nil, otherHash(path, c.meta, got)
	}
	return s, nil
}

// values are the extremes of the finite values, and the number of the others.
type values struct {
	lo, hi    float64
	notFinite int
}

func newValues() *values { return &values{lo: math.Inf(1), hi: math.Inf(-1)} }

func (v *values) add(data any) {
	switch d := data.(type) {
	case []float32:
		extremes(v, d)
	case []int32:
		extremes(v, d)
	case []int8:
		extremes(v, d)
	}
}

func extremes[T float32 | int32 | int8](v *values, xs []T) {
	if len(xs) == 0 {
		return
	}
	first := slices.IndexFunc(xs, func(x T) bool { return x-x == 0 })
	if first < 0 {
		v.notFinite += len(xs)
		return
	}
	lo, hi := xs[first], xs[first]
	for _, x := range xs {
		switch {
		case x-x != 0: // an infinity, or not a number
			v.notFinite++
		case x < lo:
			lo = x
		case x > hi:
			hi = x
		}
	}
	v.lo, v.hi = min(v.lo, float64(lo)), max(v.hi, float64(hi))
}

// tell writes the values down.
func (v *values) tell(t *TensorInfo) {
	if t.NotFinite = v.notFinite; v.lo <= v.hi {
		t.Min, t.Max = &v.lo, &v.hi
	}
}
