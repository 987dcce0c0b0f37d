//go:build linux

// Package strike runs a program under ptrace and strikes it at a system call: it is killed there, or the call fails. It
// does not know which program it is.
package strike

import (
	"fmt"
	"syscall"
)

// Strike is what happens at a system call of a program that touches the trial's folder:
// calls of a family are counted over all threads, and at the n-th the program is killed,
// or the call fails.
type Strike struct {
	Family string        // "" strikes calls of all families
	N      int           // the first is 1; 0 only counts
	Errno  syscall.Errno // 0 kills
	After  bool          // kill when the call is done, not before it
	On     bool          // every call from the n-th on fails
	Short  bool          // a write writes only half of its bytes, and says so

	Counts map[string]int // by family; "" for all
	Hit    string         // what was struck
}

func (s *Strike) String() string {
	what := "killed before"
	switch {
	case s.N == 0:
		return fmt.Sprintf("system calls: %v", s.Counts)
	case s.Short:
		what = "a short"
	case s.Errno != 0 && s.On:
		what = fmt.Sprintf("%v from", s.Errno)
	case s.Errno != 0:
		what = fmt.Sprintf("%v at", s.Errno)
	case s.After:
		what = "killed after"
	}
	hit := s.Hit
	if hit == "" {
		hit = "never reached"
	}
	return fmt.Sprintf("%s %s %d (%s)", what, s.Family, s.N, hit)
}

// strikes reports whether this call, which has just been counted, is struck.
func (s *Strike) strikes(family string) bool {
	switch {
	case s.N == 0 || s.Family != "" && s.Family != family:
		return false
	case s.On:
		return s.Counts[s.Family] >= s.N
	default:
		return s.Counts[s.Family] == s.N
	}
}

// count counts a call of a family.
func (s *Strike) count(family string) {
	if s.Counts == nil {
		s.Counts = map[string]int{}
	}
	s.Counts[family]++
	s.Counts[""]++
}
