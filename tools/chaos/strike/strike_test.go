//go:build linux

package strike

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestStrike strikes a shell: its calls are counted, and it dies or fails where it is to.
func TestStrike(t *testing.T) {
	if !Can {
		t.Skip("system calls are struck on amd64 only")
	}
	script := "echo one >a && mv a b && echo two >>b"
	for _, c := range []struct {
		name   string
		strike Strike
		left   string // in a, b
		good   bool
	}{
		{"counted", Strike{}, "-,one two", true},
		{"killed before the rename", Strike{Family: "rename", N: 1}, "one,-", false},
		{"killed after the rename", Strike{Family: "rename", N: 1, After: true}, "-,one", false},
		{"the rename fails", Strike{Family: "rename", N: 1, Errno: syscall.EIO}, "one,-", false},
		{"every write fails", Strike{Family: "write", N: 1, Errno: syscall.ENOSPC, On: true}, ",-", false},
		{"the second write fails", Strike{Family: "write", N: 2, Errno: syscall.ENOSPC}, "-,one", false},
		{"beyond the last", Strike{Family: "write", N: 3}, "-,one two", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			null, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = null.Close() }()
			attr := &os.ProcAttr{Dir: dir, Env: os.Environ(), Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{}}
			ws, err := c.strike.Run(dir, []string{"/bin/sh", "-c", script}, attr, func(*os.Process) func() bool { return func() bool { return true } })
			if err != nil {
				t.Skip("this machine lets no program be traced: ", err)
			}
			if good := ws.Exited() && ws.ExitStatus() == 0; good != c.good {
				t.Errorf("ended by %v, code %d (%s)", ws.Signal(), ws.ExitStatus(), &c.strike)
			}
			if left := content(dir, "a") + "," + content(dir, "b"); left != c.left {
				t.Errorf("left %q, want %q (%s)", left, c.left, &c.strike)
			}
			if c.name == "counted" && (c.strike.Counts["write"] != 2 || c.strike.Counts["rename"] != 1) {
				t.Errorf("counted %v", c.strike.Counts)
			}
		})
	}
}

func content(dir, name string) string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "-"
	}
	return strings.Join(strings.Fields(string(data)), " ")
}
