//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostileVerbs are the other command lines that read a pipeline's text.
func hostileVerbs() []string {
	return []string{"validate -json", "fmt -check -diff", "fmt", "plan", "plan -json -nodes", "graph", "graph -format=dot", "graph -model=m -format=svg"}
}

// TestHostileTextsOfVerbs gives the families of hostile texts to every other verb that reads a pipeline, with the
// bounds of TestHostileTexts: each family with one verb and size, in turn: some families, with QPIPE_LONG=1 all; with
// QPIPE_LONG=all every family with every verb and size.
func TestHostileTextsOfVerbs(t *testing.T) {
	verbs := hostileVerbs()
	long := os.Getenv("QPIPE_LONG")
	for i, h := range hostiles() {
		const every = 12
		switch {
		case long != "":
			for j, n := range []int{60_000, 250_000, 1_000_000} {
				for k, verb := range verbs {
					if long == "all" || k == i%len(verbs) && j == i%3 {
						h.answersVerb(t, verb, n)
					}
				}
			}
		case i%every == 0:
			h.answersVerb(t, verbs[i/every%len(verbs)], 60_000)
		}
	}
}

func (h hostile) answersVerb(t *testing.T, verb string, n int) {
	t.Helper()
	t.Run(fmt.Sprintf("%s %d %s", verb, n, h.name), func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "x.hcl"), []byte(h.text(n)), 0o600))
		if h.more != nil {
			for name, text := range h.more(n) {
				must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}
		}
		args := strings.Fields(verb)
		if args[0] != "fmt" {
			args = append(args, h.args...)
		}
		m := measured(t, dir, time.Minute, append(args, "x.hcl")...)
		t.Logf("%v, %d MB, exit code %d, %d KB of output", m.Work, m.Memory>>20, m.Code, len(m.said)>>10)
		if m.over || m.Work > 6*time.Second || m.Memory > 512<<20 {
			t.Errorf("%v of work, %d MB, ended: %t", m.Work, m.Memory>>20, m.over)
		}
		unformatted := args[0] == "fmt" && m.Code == 3 // of fmt -check
		if m.Code < 0 || m.Code > 2 && !unformatted || trace.MatchString(m.said) {
			t.Errorf("exit code %d: %.300s", m.Code, m.said)
		}
	})
}
