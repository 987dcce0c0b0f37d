//go:build linux

package main

func signals(w *world) *campaign { return &campaign{name: "signals", weight: 1, trial: func(*trial) {}, prepare: func() (int, string) { return 0, "later" }} }
