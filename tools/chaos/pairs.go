//go:build linux

package main

func pairs(w *world) *campaign { return &campaign{name: "pairs", weight: 1, trial: func(*trial) {}, prepare: func() (int, string) { return 0, "later" }} }
