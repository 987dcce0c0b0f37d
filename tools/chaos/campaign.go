//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"
)

// campaign tests one promise by many trials.
type campaign struct {
	name, promise string
	weight        int // its share of the time
	// prepare sets up what all trials share. It returns the number of trials, 0 for as many as there is time for, and
	// why there can be none on this machine.
	prepare func() (trials int, skip string)
	trial   func(*trial)

	tried, failed int
	took          time.Duration
	skipped       string
}

// world is common to all campaigns.
type world struct {
	options
	mu         sync.Mutex // guards references, and what is printed and counted
	references map[string]*reference
}

// begin makes the folder of all trials.
func (w *world) begin() (err error) {
	w.references = map[string]*reference{}
	if w.dir == "" {
		w.dir, err = os.MkdirTemp("", "chaos-")
	} else if w.dir, err = filepath.Abs(w.dir); err == nil {
		err = os.MkdirAll(w.dir, 0o755)
	}
	return err
}

// kept is how many folders of a campaign's failed trials are kept.
const kept = 20

// campaign runs the trials of a campaign for its share of the time.
func (w *world) campaign(c *campaign, budget time.Duration) {
	began := time.Now()
	defer func() { c.took = time.Since(began) }()
	fmt.Printf("== %s: %s\n", c.name, c.promise)
	most := 0
	if c.prepare != nil {
		if most, c.skipped = c.prepare(); c.skipped != "" {
			fmt.Printf("-- %s: skipped: %s\n", c.name, c.skipped)
			return
		}
	}
	if w.options.trial >= 0 {
		w.one(c, w.options.trial)
	} else {
		w.many(c, most, began.Add(budget))
	}
	fmt.Printf("-- %s: %d tried, %d failed, %.0f s\n", c.name, c.tried, c.failed, time.Since(began).Seconds())
}

// many starts trials until there are no more, or the time is up.
func (w *world) many(c *campaign, most int, until time.Time) {
	next := make(chan int)
	var all sync.WaitGroup
	for range max(w.jobs, 1) {
		all.Go(func() {
			for n := range next {
				w.one(c, n)
			}
		})
	}
	whole := c.weight == 0 // a list that is always completed
	for n := 0; (most == 0 || n < most) && (n == 0 || whole || time.Now().Before(until)); n++ {
		next <- n
	}
	close(next)
	all.Wait()
}

// one runs a trial in a folder of its own and counts its result.
func (w *world) one(c *campaign, n int) {
	root := filepath.Join(w.dir, fmt.Sprintf("%s-%d", c.name, n))
	t := &trial{world: w, campaign: c, n: n, root: root, dir: root}
	h := uint64(0xcbf29ce484222325)
	for _, b := range []byte(c.name) {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	t.r = rand.New(rand.NewPCG(w.seed, h+uint64(n)))
	_ = os.RemoveAll(t.root)
	t.attempt()
	t.finish()
}

// attempt runs the trial's function to its end, or until it gives up.
func (t *trial) attempt() {
	defer func() {
		if p := recover(); p != nil && p != any(gaveUp{}) {
			t.fail("the campaign itself has failed: %v\n%s", p, debug.Stack())
		}
	}()
	t.must(os.MkdirAll(t.dir, 0o755))
	t.write("p.hcl", glyphs)
	t.campaign.trial(t)
}

// finish counts the trial, says how it failed, and keeps its folder or removes it.
func (t *trial) finish() {
	w, c := t.world, t.campaign
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.skipped != "" {
		fmt.Printf("   %s: skipped: %s\n", t.title, t.skipped)
		t.clear()
		return
	}
	c.tried++
	keep := w.options.trial >= 0
	if len(t.failures) > 0 {
		c.failed++
		keep = keep || c.failed <= kept
		fmt.Printf("FAILED %s %d (%s)\n", c.name, t.n, t.title)
		for i, f := range t.failures {
			if i == 5 {
				fmt.Printf("    and %d more\n", len(t.failures)-i)
				break
			}
			fmt.Printf("    %s\n", f)
		}
		fmt.Printf("  again: go run ./tools/chaos -binary %s -seed %d -only %s -trial %d %s\n", relative(w.binary), w.seed, c.name, t.n, t.again)
	}
	if !keep {
		t.clear()
		return
	}
	if err := os.WriteFile(filepath.Join(t.root, "story.txt"), []byte(t.story.String()), 0o644); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("  folder: %s\n", t.root)
}

// relative shortens a path that is below the current folder.
func relative(path string) string {
	if dir, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}
