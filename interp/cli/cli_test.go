package cli

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"qpipe/interp/command"
	"qpipe/interp/part"
	"qpipe/lang/program"
)

// run calls Main in memory.
func run(c part.Catalog, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = Main(args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, c)
	return code, out.String(), errs.String()
}

func TestPanicIsOurs(t *testing.T) {
	broken := part.Catalog{{Signature: program.Signature{
		Kind: program.ModelKind, Name: "Broken", Args: func() any { panic("the part is broken") },
	}}}
	code, _, stderr := run(broken, "parts")
	if code != 3 || !strings.Contains(stderr, "QP900") || !strings.Contains(stderr, "the part is broken") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestDoubleDashes(t *testing.T) {
	root := (&app{}).root()
	for _, c := range []struct{ in, want string }{
		{"run -var a=1 -json x.hcl", "run --var a=1 --json x.hcl"},
		{"run --var a=1 -var=b=-2 x", "run --var a=1 --var=b=-2 x"},
		{"run -var -json x", "run --var -json x"}, // the value of -var
		{"graph -format=dot", "graph --format=dot"},
		{"run -threads -1", "run --threads -1"},
		{"run -h", "run -h"},
		{"fmt -", "fmt -"},
		{"run -resume -force x", "run --resume --force x"}, // its value is optional
		{"run -- -json", "run -- -json"},
		{"-chdir=/tmp fmt -check", "--chdir=/tmp fmt --check"},
		{"-chdir -check fmt", "--chdir -check fmt"},
		{"run -nosuch", "run --nosuch"},
	} {
		if got := command.DoubleDashes(root, strings.Fields(c.in)); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: got %q, want %s", c.in, got, c.want)
		}
	}
}

// fullDisk takes some bytes, and no more.
type fullDisk struct {
	room int
	text strings.Builder
	err  error
}

func (f *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	f.text.Write(p[:n])
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

// TestUnwritten: a write that fails is an exit code and a line, whichever it was, and nothing is written after it.
// Nothing is reported to a reader that has gone.
func TestUnwritten(t *testing.T) {
	for _, room := range []int{0, 1, 1000} {
		out := &fullDisk{room: room, err: syscall.ENOSPC}
		var errs strings.Builder
		code := Main([]string{"run", "--help"}, Streams{Out: out, Err: &errs}, nil)
		if want := "Error: cannot write the output: no space left on device\n"; code != 1 || errs.String() != want {
			t.Errorf("room for %d bytes: exit code %d, %q", room, code, &errs)
		}
		if out.text.Len() != room {
			t.Errorf("%d bytes were written after the failure", out.text.Len()-room)
		}
	}
	var errs strings.Builder
	if code := Main([]string{"--help"}, Streams{Out: &fullDisk{err: syscall.EPIPE}, Err: &errs}, nil); code != exitInterrupted || errs.Len() > 0 {
		t.Errorf("a closed pipe: exit code %d, %q", code, &errs)
	}
	if code := Main([]string{"nosuch"}, Streams{Out: &strings.Builder{}, Err: &fullDisk{err: syscall.ENOSPC}}, nil); code != 2 {
		t.Errorf("an error that cannot be written: exit code %d", code)
	}
}
