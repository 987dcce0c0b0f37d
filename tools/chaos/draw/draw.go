//go:build linux

// Package draw makes random choices: one item of several, damaged bytes, and wrong values. It uses the generator that
// it is given, so that the same seed repeats everything.
package draw

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
)

// One draws one of the items.
func One[T any](r *rand.Rand, items ...T) T { return items[r.IntN(len(items))] }

// Spoiled returns the bytes with some damage: flipped, cut off, zeroed, appended, a line dropped, a line doubled.
func Spoiled(r *rand.Rand, kind string, data []byte) []byte {
	data = slices.Clone(data)
	n := len(data)
	if n == 0 {
		return append(data, "x"...)
	}
	switch kind {
	case "flipped":
		data[r.IntN(n)] ^= 1 << r.IntN(8)
	case "cut off":
		data = data[:r.IntN(n)]
	case "zeroed":
		from := r.IntN(n)
		clear(data[from:min(n, from+1+r.IntN(512))])
	case "appended":
		data = append(data, One(r, "\n", "x", "{}\n", strings.Repeat("\x00", 512), string(data[max(0, n-200):]))...)
	case "a line dropped", "a line doubled":
		lines := bytes.SplitAfter(data, []byte("\n"))
		i := r.IntN(len(lines))
		if kind == "a line dropped" {
			lines = slices.Delete(lines, i, i+1)
		} else {
			lines = slices.Insert(lines, i, lines[i])
		}
		data = bytes.Join(lines, nil)
	}
	return data
}
