package statedict

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// What a pickle makes, besides nil, bool, int64, float64, string and *Tensor.
type (
	sequence struct{ items []any } // a list, a tuple or a set
	dict     struct{ keys, values []any }
	global   struct{ module, name string } // a class or a function
	object   struct{ of *global }          // what one makes; nothing is known of it
	marker   struct{}
)

func (o *object) class() string { return clip(o.of.module + "." + o.of.name) }

// get is the value of a text, nil if there is none.
func (d *dict) get(key string) any {
	for i, k := range d.keys {
		if k == key {
			return d.values[i]
		}
	}
	return nil
}

func (d *dict) set(key, value any) { d.keys, d.values = append(d.keys, key), append(d.values, value) }

// tensors counts those among the values.
func (d *dict) tensors() (n int) {
	for _, v := range d.values {
		if _, ok := v.(*Tensor); ok {
			n++
		}
	}
	return n
}

// names lists the first keys that are texts.
func (d *dict) names() string {
	var list []string
	for _, k := range d.keys {
		if s, ok := k.(string); ok && len(list) < 10 {
			list = append(list, strconv.Quote(clip(s)))
		}
	}
	if len(list) == 0 {
		return "nothing with a name"
	}
	return strings.Join(list, ", ")
}

// unpickler reads pickles, one after the other, of the protocols 0 to 5 as far as state dicts use them.
type unpickler struct {
	data []byte
	at   int
	// storage is the storage of the key, of a class of PyTorch and with so many elements.
	storage func(key, class string, elements int) (*storage, error)

	stack  []any
	memo   map[int]any
	values int // how many were made
}

// errPickle stops the reading of a pickle that is none.
var errPickle = errors.New("its pickle is damaged, or of a kind that torch.save does not write")

// load reads a pickle.
func (u *unpickler) load() (root any, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *failure:
			err = v.error
		default:
			panic(v)
		}
	}()
	u.stack, u.memo = nil, map[int]any{}
	for {
		switch op := u.byte(); op {
		case '.':
			return u.pop(), nil
		case 0x80:
			if u.byte() > 5 {
				fail(errors.New("its pickle is of a protocol above 5"))
			}
		case 0x95: // a frame: only its length
			u.take(8)
		default:
			if !u.constant(op) && !u.container(op) && !u.remembered(op) && !u.made(op) {
				fail(fmt.Errorf("%w (opcode %#x at byte %d)", errPickle, op, u.at-1))
			}
		}
	}
}

// failure carries an error to load.
type failure struct{ error }

func fail(err error) { panic(&failure{err}) }

// take is the next n bytes.
func (u *unpickler) take(n int) []byte {
	if n < 0 || n > len(u.data)-u.at {
		fail(errCut)
	}
	b := u.data[u.at:][:n]
	u.at += n
	return b
}

func (u *unpickler) byte() byte { return u.take(1)[0] }

// number is that of the next n bytes.
func (u *unpickler) number(n int) int {
	var b [8]byte
	copy(b[:], u.take(n))
	x := binary.LittleEndian.Uint64(b[:])
	if x > math.MaxInt32 && n > 4 {
		fail(errCut) // no file is so long
	}
	return int(x)
}

// line is the text up to the next end of a line.
func (u *unpickler) line() string {
	n := slices.Index(u.data[u.at:], '\n')
	if n < 0 {
		fail(errCut)
	}
	s := string(u.take(n))
	u.at++
	return s
}

func (u *unpickler) push(v any) {
	u.counted()
	u.stack = append(u.stack, v)
}

// counted counts the values that a file makes, so that a small one cannot fill the memory.
func (u *unpickler) counted() {
	if u.values++; u.values > mostValues {
		fail(fmt.Errorf("its pickle has more than %d values; a state dict's has fewer", mostValues))
	}
}

// keep remembers the value on top of the stack.
func (u *unpickler) keep(i int) {
	u.counted()
	u.memo[i] = u.top()
}

func (u *unpickler) pop() any {
	if len(u.stack) == 0 {
		fail(errPickle)
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v
}

// top is the value on top of the stack, which stays.
func (u *unpickler) top() any {
	if len(u.stack) == 0 {
		fail(errPickle)
	}
	return u.stack[len(u.stack)-1]
}

// marked takes the values above the last mark.
func (u *unpickler) marked() []any {
	for i := len(u.stack) - 1; i >= 0; i-- {
		if _, ok := u.stack[i].(marker); ok {
			items := slices.Clone(u.stack[i+1:])
			u.stack = u.stack[:i]
			return items
		}
	}
	fail(errPickle)
	return nil
}

// constant pushes None, a number or a text.
func (u *unpickler) constant(op byte) bool {
	switch op {
	case 'N':
		u.push(nil)
	case 0x88, 0x89:
		u.push(op == 0x88)
	case 'J':
		u.push(int64(int32(u.number(4))))
	case 'K':
		u.push(int64(u.number(1)))
	case 'M':
		u.push(int64(u.number(2)))
	case 0x8a:
		u.push(long(u.take(u.number(1))))
	case 0x8b:
		u.push(long(u.take(u.number(4))))
	case 'G':
		u.push(math.Float64frombits(binary.BigEndian.Uint64(u.take(8))))
	case 'I', 'L':
		u.push(decimal(u.line()))
	case 'F':
		x, err := strconv.ParseFloat(u.line(), 64)
		if err != nil {
			fail(errPickle)
		}
		u.push(x)
	case 'X', 'B', 'T':
		u.push(string(u.take(u.number(4))))
	case 0x8c, 'C', 'U':
		u.push(string(u.take(u.number(1))))
	case 0x8d, 0x8e, 0x96:
		u.push(string(u.take(u.number(8))))
	case 'V', 'S':
		u.push(strings.Trim(u.line(), `'"`))
	default:
		return false
	}
	return true
}

// long is a number of any length; one beyond int64 is nil, because no state dict needs it.
func long(b []byte) any {
	if len(b) > 8 {
		return nil
	}
	var x int64
	for i, v := range b {
		x |= int64(v) << (8 * i)
	}
	if n := len(b); n > 0 && n < 8 && b[n-1] >= 0x80 {
		x -= 1 << (8 * n)
	}
	return x
}

// decimal is a number or truth value in the notation of protocol 0.
func decimal(s string) any {
	switch s {
	case "00":
		return false
	case "01":
		return true
	}
	x, err := strconv.ParseInt(strings.TrimSuffix(s, "L"), 10, 64)
	if err != nil {
		return nil
	}
	return x
}

// container makes and fills lists, tuples, sets and dicts.
func (u *unpickler) container(op byte) bool {
	switch op {
	case '(':
		u.push(marker{})
	case '0':
		u.pop()
	case '1':
		u.marked()
	case '2':
		u.push(u.top())
	case ')', ']', 0x8f:
		u.push(&sequence{})
	case '}':
		u.push(&dict{})
	case 't', 'l', 0x91:
		u.push(&sequence{u.marked()})
	case 0x85, 0x86, 0x87:
		items := make([]any, op-0x84)
		for i := len(items) - 1; i >= 0; i-- {
			items[i] = u.pop()
		}
		u.push(&sequence{items})
	case 'a':
		u.extend([]any{u.pop()})
	case 'e', 0x90:
		u.extend(u.marked())
	case 'd':
		pairs := u.marked()
		u.push(&dict{})
		u.pairs(pairs)
	case 's':
		value := u.pop()
		u.pairs([]any{u.pop(), value})
	case 'u':
		u.pairs(u.marked())
	default:
		return false
	}
	return true
}

// extend appends to the list on top of the stack. Of other things nothing is known.
func (u *unpickler) extend(items []any) {
	if s, ok := u.top().(*sequence); ok {
		s.items = append(s.items, items...)
	}
}

// pairs sets keys and values of the dict on top of the stack.
func (u *unpickler) pairs(list []any) {
	if len(list)%2 != 0 {
		fail(errPickle)
	}
	if d, ok := u.top().(*dict); ok {
		for i := 0; i < len(list); i += 2 {
			d.set(list[i], list[i+1])
		}
	}
}

// remembered keeps a value, or pushes one that was kept.
func (u *unpickler) remembered(op byte) bool {
	switch op {
	case 'q':
		u.keep(u.number(1))
	case 'r':
		u.keep(u.number(4))
	case 'p':
		u.keep(u.index())
	case 0x94:
		u.keep(len(u.memo))
	case 'h':
		u.recall(u.number(1))
	case 'j':
		u.recall(u.number(4))
	case 'g':
		u.recall(u.index())
	default:
		return false
	}
	return true
}

func (u *unpickler) index() int {
	n, err := strconv.Atoi(u.line())
	if err != nil {
		fail(errPickle)
	}
	return n
}

func (u *unpickler) recall(i int) {
	v, ok := u.memo[i]
	if !ok {
		fail(errPickle)
	}
	u.push(v)
}
