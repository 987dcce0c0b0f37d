//go:build linux

// Program chaos drives a built qpipe from outside and checks what docs/reliability.md promises of it: it kills runs,
// fills disks, damages files, puts other files in the way. It shares no code with the program that it tests. Every
// trial is drawn from a seed and can be repeated separately:
//
//	go run ./tools/chaos -binary bin/qpipe -seed 1 -budget 10m
//	go run ./tools/chaos -binary bin/qpipe -seed 1 -only damage -trial 17
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/qpipe", "the program that is tested")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of all random choices")
	flag.DurationVar(&o.budget, "budget", 10*time.Minute, "time for all campaigns")
	flag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "trials at a time")
	flag.IntVar(&o.trial, "trial", -1, "only this trial of the campaign that -only names; its folder stays")
	flag.StringVar(&o.point, "point", "", "of calls and errors: strike this history/family/number instead of one that is drawn")
	flag.StringVar(&o.dir, "dir", "", "where the trials' folders are (default: a new one for temporary tree.Files)")
	flag.StringVar(&o.race, "race", "", "the program built with -race, for the campaign races")
	flag.StringVar(&o.pipelines, "pipelines", "pipelines", "the folder of the pipelines for the campaign races")
	flag.StringVar(&o.shared, "shared", cmp.Or(os.Getenv("QPIPE_SHARED"), "../shared"), "the folder with data/mnist for the campaign races")
	only := flag.String("only", "", "only these campaigns (names, separated by commas)")
	list := flag.Bool("list", false, "list the campaigns and what they test")
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	code, err := run(o, *list)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = 2
	}
	os.Exit(code)
}

// options are the options of the command line.
type options struct {
	binary, dir, race, pipelines, shared, point string
	only                                        []string
	seed                                        uint64
	budget                                      time.Duration
	jobs, trial                                 int
}

// table lists the campaigns in the order in which they run.
func table(w *world) []*campaign {
	histories := scenarios()
	return []*campaign{
		kills(), calls(w, histories), disks(), faults(w, histories), damage(w), changes(), hostile(w), belongings(), pairs(), signals(), races(w),
	}
}

func run(o options, list bool) (code int, err error) {
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return 2, err
	}
	w := &world{options: o}
	campaigns := table(w)
	if list {
		for _, c := range campaigns {
			fmt.Printf("%-12s %s\n", c.name, c.promise)
		}
		return 0, nil
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(campaigns, func(c *campaign) bool { return c.name == name }) {
			return 2, fmt.Errorf("there is no campaign %q; -list shows them", name)
		}
	}
	if o.trial >= 0 && len(o.only) != 1 {
		return 2, fmt.Errorf("-trial needs -only with one name")
	}
	if _, err := os.Stat(o.binary); err != nil {
		return 2, fmt.Errorf("%w (make build)", err)
	}
	if err := w.begin(); err != nil {
		return 2, err
	}
	began := time.Now()
	for i, c := range campaigns {
		if len(o.only) > 0 && !slices.Contains(o.only, c.name) {
			c.skipped = "not asked for"
			continue
		}
		w.campaign(c, share(campaigns[i:], o, o.budget-time.Since(began)))
	}
	failed := w.summary(campaigns, time.Since(began))
	if failed == 0 && o.trial < 0 && o.dir == "" {
		_ = os.RemoveAll(w.dir) // nothing is left to look at
	}
	return min(failed, 1), nil
}

// share is the share of the remaining time for the first of the campaigns.
func share(rest []*campaign, o options, left time.Duration) time.Duration {
	all := 0
	for _, c := range rest {
		if len(o.only) == 0 || slices.Contains(o.only, c.name) {
			all += c.weight
		}
	}
	return left * time.Duration(rest[0].weight) / time.Duration(max(all, 1))
}

// summary prints the table of all campaigns and returns how many trials have failed.
func (w *world) summary(campaigns []*campaign, took time.Duration) (failed int) {
	fmt.Printf("\nseed %d, %s\n\n", w.seed, took.Round(time.Second))
	fmt.Printf("| %-12s | %6s | %6s | %6s | %5s |\n", "campaign", "tried", "held", "failed", "s")
	fmt.Printf("| %s | %s: | %s: | %s: | %s: |\n", strings.Repeat("-", 12), strings.Repeat("-", 5), strings.Repeat("-", 5), strings.Repeat("-", 5), strings.Repeat("-", 4))
	var tried, held int
	for _, c := range campaigns {
		switch {
		case c.skipped == "not asked for":
			continue
		case c.skipped != "":
			fmt.Printf("| %-12s | skipped: %s |\n", c.name, c.skipped)
			continue
		}
		fmt.Printf("| %-12s | %6d | %6d | %6d | %5.0f |\n", c.name, c.tried, c.tried-c.failed, c.failed, c.took.Seconds())
		tried, held, failed = tried+c.tried, held+c.tried-c.failed, failed+c.failed
	}
	fmt.Printf("| %-12s | %6d | %6d | %6d | %5.0f |\n", "all", tried, held, failed, took.Seconds())
	if failed > 0 {
		fmt.Printf("\nThe folders of what failed are in %s; story.txt in each says what was done.\n", w.dir)
	}
	return failed
}
