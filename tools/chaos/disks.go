//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"

	"qpipe/tools/chaos/draw"
)

// disks runs until disks are full: small file systems in memory, which then get more room.
func disks() *campaign {
	c := &campaign{
		name: "disks", weight: 6,
		promise: "a full disk costs a clear message; with more room, there or elsewhere, the run ends in the same bytes",
	}
	// A mount is visible only in its own namespace, and disappears with the shell that made it.
	var private []string
	c.prepare = func() (int, string) {
		for _, try := range [][]string{{"unshare", "-m"}, {"unshare", "-rm"}} {
			if exec.Command(try[0], append(try[1:], "mount", "-t", "tmpfs", "none", "/mnt")...).Run() == nil {
				private = try
				return 0, ""
			}
		}
		return 0, "this machine lets nobody mount a small disk (unshare -rm, or root)"
	}
	c.trial = func(t *trial) {
		// The disk's content before: nothing, a complete run that is edited, or an interrupted one.
		var end []string
		switch t.r.IntN(3) {
		case 1:
			t.run()
			end = edited
		case 2:
			killedAt(t, "qat", 1+t.r.IntN(6))
		}
		limit := fmt.Sprintf("size=$(($(du -sk disk | cut -f1) + %d))k", 4*(1+t.r.IntN(160)))
		if t.r.IntN(4) == 0 {
			limit = fmt.Sprintf("size=64m,nr_inodes=$(($(find disk | wc -l) + %d))", 1+t.r.IntN(22))
		}
		room := draw.One(t.r, "mount -o remount,size=64m,nr_inodes=100000 disk", "mkdir wide && mount -t tmpfs none wide && cp -a disk/. wide && umount disk && mount --move wide disk")
		t.title = fmt.Sprintf("%s, end %v, %s", limit, end, room)
		t.write("disk.sh", fmt.Sprintf(`set -e
mkdir disk; mount -t tmpfs -o size=64m none disk
[ ! -d run ] || cp -a run/. disk
mount -o remount,%s disk
rm -rf run; mkdir run; mount --bind disk run
code=0; "$@" >small.out 2>small.err || code=$?
echo $code >small.code
umount run
%s
mount --bind disk run
code=0; "$@" >wide.out 2>wide.err || code=$?
echo $code >wide.code
umount run; cp -a disk/. run
`, limit, room))
		t.must(t.shell(private, "sh", append([]string{"disk.sh", t.binary}, runArgs(end...)...)...))
		small, wide := t.ended("small"), t.ended("wide")
		if small.Code == 1 && !small.Said("no space left on device") {
			t.fail("the message does not say that the disk is full: %s", small.Message())
		}
		if wide.Code != 0 {
			t.fail("with more room the run does not come to its end: exit code %d: %s", wide.Code, wide.Message())
			t.ends(end...)
			return
		}
		t.same(end...)
		t.upToDate(end...)
	}
	return c
}

// shell runs a program in the trial's folder, behind a prefix of other programs.
func (t *trial) shell(prefix []string, name string, args ...string) error {
	argv := append(append(append([]string{}, prefix...), name), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = t.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.tell("$ %v\n%s", argv, tail(string(out)))
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out)
	}
	return nil
}
