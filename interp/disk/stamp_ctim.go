//go:build linux || openbsd || dragonfly

package disk

import (
	"io/fs"
	"syscall"
)

// changeOf returns when the file's content or attributes last changed, which no program can set, and its inode.
func changeOf(info fs.FileInfo) (changed int64, inode uint64) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	sec, nsec := s.Ctim.Unix()
	return sec*1e9 + nsec, s.Ino
}
