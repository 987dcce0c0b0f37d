//go:build linux

package main

func belongings(w *world) *campaign { return &campaign{name: "belongings", weight: 1, trial: func(*trial) {}, prepare: func() (int, string) { return 0, "later" }} }
