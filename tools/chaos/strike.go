//go:build linux

package main

import (
	"fmt"
	"syscall"
)

// strike is what happens at a system call of a program that touches the trial's folder:
// calls of a family are counted over all threads, and at the n-th the program is killed,
// or the call fails.
type strike struct {
	family string        // "" strikes calls of all families
	n      int           // the first is 1; 0 only counts
	errno  syscall.Errno // 0 kills
	after  bool          // kill when the call is done, not before it
	on     bool          // every call from the n-th on fails
	short  bool          // a write writes only half of its bytes, and says so

	counts map[string]int // by family, and "" for all
	hit    string         // what was struck
}

func (s *strike) String() string {
	what := "killed before"
	switch {
	case s.n == 0:
		return fmt.Sprintf("system calls: %v", s.counts)
	case s.short:
		what = "a short"
	case s.errno != 0 && s.on:
		what = fmt.Sprintf("%v from", s.errno)
	case s.errno != 0:
		what = fmt.Sprintf("%v at", s.errno)
	case s.after:
		what = "killed after"
	}
	hit := s.hit
	if hit == "" {
		hit = "never reached"
	}
	return fmt.Sprintf("%s %s %d (%s)", what, s.family, s.n, hit)
}

// strikes reports whether this call, which has just been counted, is struck.
func (s *strike) strikes(family string) bool {
	switch {
	case s.n == 0 || s.family != "" && s.family != family:
		return false
	case s.on:
		return s.counts[s.family] >= s.n
	default:
		return s.counts[s.family] == s.n
	}
}

// count counts a call of a family.
func (s *strike) count(family string) {
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[family]++
	s.counts[""]++
}
