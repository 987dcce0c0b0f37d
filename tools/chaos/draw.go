//go:build linux

package main

import "math/rand/v2"

// one draws one of the items.
func one[T any](r *rand.Rand, items ...T) T { return items[r.IntN(len(items))] }
