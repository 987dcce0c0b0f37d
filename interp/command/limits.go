package command

import (
	"qpipe/lang/program"
)

// Threads checks a -threads flag: 0 is the default.
func Threads(n int) error {
	if n < 0 || n > program.MostThreads {
		return Wrong("-threads: %d is not a number from 0 (the default) to %d", n, program.MostThreads)
	}
	return nil
}

// Batch checks a -batch flag.
func Batch(n, least, most int) error {
	if n < least || n > most {
		return Wrong("-batch: %d is not a number from %d to %d", n, least, most)
	}
	return nil
}
