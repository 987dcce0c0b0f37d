//go:build linux

package main

import "math/rand/v2"

// shuffle mixes what is drawn from, by the seed.
func shuffle[T any](seed uint64, items []T) {
	r := rand.New(rand.NewPCG(seed, uint64(len(items))))
	r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
}

// one draws one of the items.
func one[T any](r *rand.Rand, items ...T) T { return items[r.IntN(len(items))] }
