package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestTerminal runs on a pseudo-terminal: there is a bar with rate and time left, and there are colours unless switched
// off. In a pipe there is neither.
func TestTerminal(t *testing.T) {
	args := func() []string {
		return []string{"run", "-out", filepath.Join(t.TempDir(), "run"), "-stage", "float", tiny}
	}
	colour := onTerminal(t, 100, nil, args()...)
	for _, want := range []string{"images/s", " left", "loss ", "\x1b[32mdone\x1b[0m", "float: epoch 1/2 ", "──"} {
		if !strings.Contains(colour.bytes.String(), want) {
			t.Errorf("the terminal does not show %q:\n%q", want, &colour.bytes)
		}
	}
	mono := onTerminal(t, 100, []string{"NO_COLOR=1"}, args()...).bytes.String()
	if strings.Contains(mono, "m\x1b[") || strings.Contains(mono, "\x1b[32m") || strings.Contains(mono, "\x1b[m") || !drawn(mono) {
		t.Errorf("with NO_COLOR there must be a bar and no colours:\n%q", mono)
	}
	if dumb := onTerminal(t, 40, []string{"TERM=dumb"}, args()...); strings.ContainsAny(dumb.bytes.String(), "\x1b━─") {
		t.Errorf("TERM=dumb gets %q", &dumb.bytes)
	} else {
		dumb.unbroken(t)
	}
	_, stdout, stderr := plain(t, args()...)
	if strings.ContainsAny(stdout+stderr, "\x1b\r━") {
		t.Errorf("a pipe gets %q", stdout)
	}
	if help := onTerminal(t, 100, nil, "--help").bytes.String(); !strings.Contains(help, "\x1b[1mUsage\x1b[0m") {
		t.Errorf("no bold headings in %q", help)
	}
}

// TestScreen compares what a terminal shows at the end with what a pipe gets: the same
// words, none broken, nothing else. Until then there is at most one bar, at the bottom.
func TestScreen(t *testing.T) {
	text, err := os.ReadFile(tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("tiny.hcl", string(text))
	write("wrong.hcl", strings.Replace(strings.Replace(string(text), "stage.float.checkpoint.best }", "stage.flaot.checkpoint.best } # a line that is longer than any terminal which is forty columns wide", 1), "lr       = var.lr", "lr = var.rate", 1))
	if code, _, _ := plain(t, "run", "-out", "pipe", "-stage", "float", "tiny.hcl"); code != 0 {
		t.Fatal("the run failed")
	}
	data := []string{"-out", "pipe", "-data", "dataset.train", "-var", "train_images=6000", "-batch", "8"}
	for _, c := range []struct {
		name string
		args []string
		bar  string
	}{
		{"run", []string{"run", "-force", "-out", "run", "-var", "train_images=128", "tiny.hcl"}, "float: "},
		{"run of what is up to date", []string{"run", "-out", "pipe", "-stage", "float", "tiny.hcl"}, ""},
		{"eval", append([]string{"eval", "stage.float.checkpoint.best", "tiny.hcl"}, data...), "eval: dataset.train"},
		{"plan", []string{"plan", "-out", "pipe", "tiny.hcl"}, ""},
		{"show", []string{"show", "pipe"}, ""},
		{"show a file", []string{"show", "pipe/float/best.safetensors"}, ""},
		{"validate", []string{"validate", "wrong.hcl"}, ""},
		{"bench", []string{"bench", "-time", "1ms", "-threads", "1", "-batch", "1", "-what", "float", "lenet"}, "bench: "},
		{"graph", []string{"graph", "tiny.hcl"}, ""},
		{"help", []string{"run", "--help"}, ""},
	} {
		code, stdout, stderr := plain(t, c.args...)
		for _, columns := range []int{15, 40, 60, 80, 200} {
			if columns == 15 && c.bar == "" {
				continue // its words are longer
			}
			if columns%40 == 20 && c.bar != "" && os.Getenv("QPIPE_LONG") == "" {
				continue // it computes
			}
			t.Run(fmt.Sprintf("%s, %d columns", c.name, columns), func(t *testing.T) {
				shown := onTerminal(t, columns, nil, c.args...)
				if shown.code != code {
					t.Errorf("exit code %d, in a pipe %d", shown.code, code)
				}
				shown.unbroken(t)
				shown.ended(t)
				if _, _, ok := strings.Cut(shown.bytes.String(), c.bar[:min(len(c.bar), columns-2)]); !ok {
					t.Errorf("there was no bar %q", c.bar)
				}
				want, got := wordsOf(stderr+stdout), wordsOf(strings.Join(shown.unwrapped(), "\n"))
				if c.name == "help" || c.name == "run" { // laid out for the terminal; warnings at the beginning and at the end
					slices.Sort(want)
					slices.Sort(got)
				}
				if !slices.Equal(got, want) {
					t.Errorf("the terminal shows other words than a pipe gets:\n%s\n%s", shown.screen, cmp.Diff(want, got))
				}
			})
		}
	}
}

// TestInterrupts presses Ctrl-C once or twice at random moments, and changes the window's width: at every moment, each
// remaining line is one that the program prints, and the exit code says what happened.
func TestInterrupts(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(tiny)
	if err != nil {
		t.Fatal(err)
	}
	// No warning, whose lines are indented as what goes on is.
	sound := strings.Replace(string(text), `  callback "ExponentialMovingAverage" { decay = 0.9 }`+"\n", "", 1)
	if err := os.WriteFile(filepath.Join(dir, "tiny.hcl"), []byte(sound), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	began := time.Now()
	if code, _, stderr := plain(t, "run", "-out", "model", "tiny.hcl"); code != 0 || stderr != "" {
		t.Fatalf("the run failed: %s", stderr)
	}
	took := time.Since(began)
	verbs := [][]string{
		{"run", "-out", "OUT", "tiny.hcl"},
		{"run", "-out", "OUT", "tiny.hcl"},
		{"eval", "stage.qat.checkpoint.last", "-out", "model", "-data", "dataset.train", "-var", "train_images=20000", "tiny.hcl"},
		{"bench", "-time", "100ms", "-threads", "1", "lenet"},
		{"validate", "tiny.hcl"},
	}
	random := rand.New(rand.NewPCG(8, 8))
	ended := map[int]int{}
	for _, columns := range []int{40, 60, 80, 200} {
		for i, verb := range verbs {
			args := slices.Clone(verb)
			if j := slices.Index(args, "OUT"); j > 0 {
				args[j] = fmt.Sprintf("out%d-%d", columns, i)
			}
			p := start(t, columns, nil, args...)
			wait := time.Duration(random.Float64() * float64(took))
			again := time.Duration(random.Float64() * float64(40*time.Millisecond))
			twice, narrower := random.IntN(2) == 0, random.IntN(2) == 0
			if args[0] == "validate" {
				wait /= 20
			}
			p.pause(wait / 2)
			if narrower {
				p.resize(t, columns-10)
			}
			p.pause(wait / 2)
			p.press("\x03")
			if twice {
				p.pause(again)
				p.press("\x03")
			}
			p.finish(t)
			ended[p.code]++
			what := fmt.Sprintf("%v after %v, %d columns, twice: %t, narrower: %t", args, wait, columns, twice, narrower)
			p.sensible(t, what)
		}
	}
	t.Logf("exit codes: %v", ended)
	if ended[130] < 8 {
		t.Errorf("of the programs that were interrupted few ended with 130: %v", ended)
	}
}

// sensible checks the remaining lines after an interruption.
func (p *process) sensible(t *testing.T, what string) {
	t.Helper()
	said := strings.TrimRight(p.screen.String(), "^C\n ")
	switch {
	case p.code == 130:
		if !strings.Contains(said, "nterrupted") && !strings.Contains(said, "Aborted.") {
			t.Errorf("%s: nothing says that it was interrupted:\n%s", what, p.screen)
		}
	case p.code == 0: // it came too late
	case p.signal == syscall.SIGINT && said == "": // it came before the program began
	default:
		t.Errorf("%s: exit code %d, %v", what, p.code, p.signal)
	}
	p.unbroken(t)
	p.ended(t)
	for _, line := range p.logical() {
		for strings.HasPrefix(line, "^C") { // echoed between two lines, where there is no bar
			line = line[2:]
		}
		if !known.MatchString(strings.TrimRight(line, "^C")) {
			t.Errorf("%s: the line %q is not one of those that are printed:\n%s", what, line, p.screen)
			return
		}
	}
}

// known are the lines that run, eval and bench print without a warning, numbers
// written as # and breaks taken out.
var known = regexp.MustCompile(`^(` + strings.Join([]string{
	``,
	`(float|calibration|qat|int_infer): (` + strings.Join([]string{
		`runs: first run`, `# steps( in # epochs)?, # training images, # validation images`, `# validation images`,
		`loaded # of # tensors from stage\.\w+\.checkpoint\.\w+`, `epoch # loss # lr # accuracy # # images/s`,
		`absorbed backbone\.conv\d\.conv at epoch #, step # \(with_bn_reverse_fold, scale kept\): output changes by at most #; # of # integers change( \(# %\))?`,
		`the int8 model has the same integers as stage\.qat\.checkpoint\.last at all # nodes, on # images`,
		`interrupted( after step #)?`, `not run: stage "\w+" interrupted`, `done accuracy # # s`,
	}, "|") + `)`,
	`Interrupted: finishing the step and writing a checkpoint; once more aborts at once\.`,
	`Interrupted; the checkpoint is written\. To continue: qpipe run .* tiny\.hcl`,
	`Interrupted; nothing was written\.`, `Interrupted\.`,
	`Aborted\. Finished checkpoints are kept; to continue from the newest: qpipe run .* tiny\.hcl`,
	`stage( accuracy)?( size)?( time)?`,
	`(float|calibration|qat|int_infer) (ran|interrupted|not run)( # %)?( # KiB)?( # s)?`,
	`int8_accuracy = #`, `\S+ in # s`,
	`valid tiny\.hcl: # stages, # model, checked in # s`,
	`(model|stage\.qat\.checkpoint\.last)\S*`, `form qat, with_bn_reverse_fold`, `data dataset.train, # images`, `accuracy # %`, `loss #`, `speed # images/s, # threads?`,
	`kernels .*`, `peak # threads?: .*`, `by the best run .*`, `lenet # million .*`, `form does batch .*`, `(float|with_bn|fuse_bn|with_bn_reverse_fold|int8) (inference|training) # .*`,
}, "|") + `)$`)

// process is the program on a pseudo-terminal.
type process struct {
	cmd     *exec.Cmd
	master  *os.File
	screen  *screen
	bytes   strings.Builder
	chunks  chan []byte
	wrong   []string // what an observer has seen
	resized int      // the line in which the window's width was changed
	code    int
	signal  syscall.Signal
}

// start runs the program on a pseudo-terminal that is its own.
func start(t *testing.T, columns int, env []string, args ...string) *process {
	t.Helper()
	master, tty := pty(t, columns)
	p := &process{cmd: exec.Command("qpipe", args...), master: master, screen: newScreen(columns), chunks: make(chan []byte, 1024)}
	p.screen.observed = p.observe
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR="), env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	go func() {
		defer close(p.chunks)
		for {
			b := make([]byte, 4096)
			n, err := master.Read(b)
			if n > 0 {
				p.chunks <- b[:n]
			}
			if err != nil {
				return // the last writer has closed the terminal
			}
		}
	}()
	return p
}

// onTerminal runs the program to its end and returns what it has shown.
func onTerminal(t *testing.T, columns int, env []string, args ...string) *process {
	t.Helper()
	p := start(t, columns, env, args...)
	p.finish(t)
	return p
}

// pause lets the program continue for a while.
func (p *process) pause(d time.Duration) {
	for end := time.After(d); ; {
		select {
		case b, ok := <-p.chunks:
			if !ok {
				return
			}
			p.show(b)
		case <-end:
			return
		}
	}
}

func (p *process) show(b []byte) {
	p.bytes.Write(b)
	_, _ = p.screen.Write(b)
}

// press types a key.
func (p *process) press(key string) {
	_, _ = p.master.WriteString(key) // the program may have ended
}

// resize changes the window's width.
func (p *process) resize(t *testing.T, columns int) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	p.screen.resize(columns)
	p.resized = p.screen.y
}

// finish waits for the end.
func (p *process) finish(t *testing.T) {
	t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	for b := range p.chunks {
		p.show(b)
	}
	_ = p.cmd.Wait()
	p.code = p.cmd.ProcessState.ExitCode()
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		p.signal = s.Signal()
	}
}

// observe checks the screen while it is drawn: a bar is only in the cursor's line, and nothing is below it.
func (p *process) observe(s *screen) {
	for y, r := range s.rows {
		text := r.String()
		if y > s.y && !s.reflowed && text != "" {
			p.wrong = append(p.wrong, fmt.Sprintf("below the cursor stands %q", text))
		}
		if y != s.y && drawn(text) {
			p.wrong = append(p.wrong, fmt.Sprintf("a bar is left above: %q", text))
		}
	}
	if !s.reflowed && s.rows[s.y].wrapped && drawn(s.rows[s.y].String()) {
		p.wrong = append(p.wrong, fmt.Sprintf("a bar of several lines: %q", s.rows[s.y].String()))
	}
}

// drawn reports whether there is a bar in a text.
func drawn(text string) bool {
	return strings.Contains(text, "━") || strings.Contains(text, "──")
}

// unbroken checks that no word was broken that fits on a line.
func (p *process) unbroken(t *testing.T) {
	t.Helper()
	if len(p.wrong) > 0 {
		t.Errorf("%d columns: %s", p.screen.columns, p.wrong[0])
	}
	for y, r := range p.screen.rows {
		if !r.wrapped || y+1 == len(p.screen.rows) || p.resized > 0 && y < p.resized+4 {
			continue // or what was being written when the width changed
		}
		next := p.screen.rows[y+1].String()
		last := r.String()[strings.LastIndexByte(r.String(), ' ')+1:]
		if word, _, _ := strings.Cut(next, " "); len([]rune(last+word))+4 <= p.screen.columns {
			t.Errorf("%d columns: a word is broken:\n%s\n%s", p.screen.columns, r, next)
		}
	}
}

// ended checks how the program leaves the terminal.
func (p *process) ended(t *testing.T) {
	t.Helper()
	s := p.screen
	if line := strings.Trim(s.rows[s.y].String(), "^C"); line != "" {
		t.Errorf("%d columns: the last line has no end: %q", s.columns, line)
	}
	if s.hidden || s.cut {
		t.Errorf("the terminal is left otherwise than it was: no cursor: %t, no breaks: %t", s.hidden, s.cut)
	}
	if len(s.strange) > 0 {
		t.Errorf("control sequences that not every terminal knows: %q", s.strange)
	}
	if text := s.String(); drawn(text) || regexp.MustCompile(`\d left`).MatchString(text) {
		t.Errorf("%d columns: a bar remains:\n%s", s.columns, text)
	}
}

// unwrapped are the lines as the program has written them, before the terminal broke them.
func (p *process) unwrapped() []string {
	var out []string
	for y, r := range p.screen.rows {
		if y > 0 && p.screen.rows[y-1].wrapped {
			out[len(out)-1] += r.String()
		} else {
			out = append(out, r.String())
		}
	}
	return out
}

// logical are the lines as they were before they were broken.
func (p *process) logical() []string {
	var out []string
	for _, text := range p.unwrapped() {
		if strings.HasPrefix(text, " ") && len(out) > 0 {
			out[len(out)-1] += " " + text
		} else {
			out = append(out, text)
		}
	}
	for i, line := range out {
		out[i] = strings.Join(wordsOf(line), " ")
	}
	return out
}

// wordsOf are the words of a text, without what differs from run to run: numbers and their units
// of time; and without the lines of source that a diagnostic quotes, which are cut to the
// terminal's width.
func wordsOf(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if cited.MatchString(line) {
			continue
		}
		for _, w := range strings.Fields(line) {
			w = number.ReplaceAllString(w, "$1#$2")
			if slices.Contains([]string{"ns", "µs", "ms"}, w) {
				w = "s"
			}
			out = append(out, w)
		}
	}
	return out
}

var (
	cited  = regexp.MustCompile(`^ +(\d+: |\^+$|…$)`)
	number = regexp.MustCompile(`^(\(?)[0-9][0-9./:e+-]*[kM]?([,;)]*:?)$`)
)

func pty(t *testing.T, columns int) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	// Otherwise the terminal discards what it has not shown yet when Ctrl-C is pressed.
	modes, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	modes.Lflag |= unix.NOFLSH
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, modes); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, tty
}
