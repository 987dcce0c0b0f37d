package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTerminal runs on a pseudo-terminal: there is a bar with rate and time left,
// and colours unless they are not wanted. In a pipe there is neither.
func TestTerminal(t *testing.T) {
	args := func() []string {
		return []string{"run", "-out", filepath.Join(t.TempDir(), "run"), "-stage", "float", tiny}
	}
	colour := onTerminal(t, nil, args()...)
	for _, want := range []string{"images/s", " left", "loss ", "━", "\x1b[32mdone\x1b[0m", "float: epoch 1/2 "} {
		if !strings.Contains(colour, want) {
			t.Errorf("the terminal does not show %q:\n%q", want, colour)
		}
	}
	mono := onTerminal(t, []string{"NO_COLOR=1"}, args()...)
	if strings.Contains(mono, "\x1b[32m") || !strings.Contains(mono, "━") {
		t.Errorf("with NO_COLOR there must be a bar and no colours:\n%q", mono)
	}
	_, stdout, stderr := plain(t, args()...)
	if strings.ContainsAny(stdout+stderr, "\x1b\r━") {
		t.Errorf("a pipe gets %q", stdout)
	}
	if help := onTerminal(t, nil, "--help"); !strings.Contains(help, "\x1b[1mUsage\x1b[0m") {
		t.Errorf("no bold headings in %q", help)
	}
}

// TestEvalOnTerminal shows how far an evaluation has come, on a terminal alone.
func TestEvalOnTerminal(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	if code, _, _ := plain(t, "run", "-out", out, "-stage", "float", tiny); code != 0 {
		t.Fatal("the run failed")
	}
	args := []string{"eval", "-var", "train_images=12000", "-batch", "8", "-out", out, "-data", "dataset.train", "stage.float.checkpoint.last", tiny}
	shown := onTerminal(t, nil, args...)
	for _, want := range []string{"eval: dataset.train ", "/12000", "images/s", " left", "━", "12000 images"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the terminal does not show %q:\n%q", want, shown)
		}
	}
	if _, stdout, stderr := plain(t, args...); strings.ContainsAny(stdout+stderr, "\x1b\r━") {
		t.Errorf("a pipe gets %q", stdout)
	}
}

// onTerminal runs the program on a pseudo-terminal of 100 columns and returns
// what it shows.
func onTerminal(t *testing.T, env []string, args ...string) string {
	t.Helper()
	screen, tty := pty(t)
	cmd := exec.Command("qpipe", args...)
	cmd.Stdout, cmd.Stderr = tty, tty
	cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR="), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	var shown bytes.Buffer
	_, _ = io.Copy(&shown, screen) // ends with an error when the last writer closes
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &shown)
	}
	return shown.String()
}

func pty(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return screen, tty
}
