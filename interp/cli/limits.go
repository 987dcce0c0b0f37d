package cli

import (
	"qpipe/interp/command"
	"qpipe/lang/program"
)

// threadsFlag checks a -threads flag: 0 is the default.
func threadsFlag(n int) error {
	if n < 0 || n > program.MostThreads {
		return command.Wrong("-threads: %d is not a number from 0 (the default) to %d", n, program.MostThreads)
	}
	return nil
}

// batchFlag checks a -batch flag.
func batchFlag(n, least, most int) error {
	if n < least || n > most {
		return command.Wrong("-batch: %d is not a number from %d to %d", n, least, most)
	}
	return nil
}
