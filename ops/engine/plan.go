package engine

import "slices"

// plan lays buffers out in arenas: two buffers share memory where their
// lifetimes do not meet. Time is counted in steps of the forward pass, and in
// training of the backward pass behind it.
type plan struct {
	f32 arena[float32]
	u8  arena[uint8]
}

// arena is the buffers of one element type.
type arena[T any] struct{ leases []lease[T] }

// lease is a buffer that is needed from one time to another, both included.
type lease[T any] struct {
	dst              *[]T
	size             int
	from, to, offset int
}

// lineElements rounds sizes up, so that buffers start on cache lines of their own.
const lineElements = 64

// lease asks for a buffer; nothing for none.
func (a *arena[T]) lease(dst *[]T, size, from, to int) {
	if size == 0 {
		return
	}
	a.leases = append(a.leases, lease[T]{dst: dst, size: size, from: from, to: to})
}

// allocate places the buffers and makes the memory.
func (a *arena[T]) allocate() {
	mem := make([]T, a.place())
	for _, l := range a.leases {
		*l.dst = mem[l.offset : l.offset+l.size : l.offset+l.size]
	}
}

// place places the largest buffers first, each at the lowest offset that is free all
// through its lifetime, and returns how many elements they take in all.
func (a *arena[T]) place() (total int) {
	order := make([]*lease[T], len(a.leases))
	for i := range a.leases {
		order[i] = &a.leases[i]
	}
	slices.SortStableFunc(order, func(x, y *lease[T]) int { return y.size - x.size })
	placed := make([]spot, 0, len(order))
	for _, l := range order {
		l.offset = lowest(placed, l.from, l.to, padded(l.size))
		x := spot{l.offset, l.offset + padded(l.size), l.from, l.to}
		i, _ := slices.BinarySearchFunc(placed, x, func(a, b spot) int { return a.offset - b.offset })
		placed = slices.Insert(placed, i, x)
		total = max(total, x.end)
	}
	return total
}

// spot is where a buffer has been placed.
type spot struct{ offset, end, from, to int }

// lowest finds the lowest offset for a buffer beside those that are placed already, which are ordered by their offsets.
func lowest(placed []spot, from, to, size int) int {
	at := 0
	for i := range placed {
		p := &placed[i]
		if p.from > to || from > p.to {
			continue
		}
		if at+size <= p.offset {
			break
		}
		at = max(at, p.end)
	}
	return at
}

func padded(n int) int { return (n + lineElements - 1) / lineElements * lineElements }

func (p *plan) allocate() {
	p.f32.allocate()
	p.u8.allocate()
}
