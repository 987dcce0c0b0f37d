package cli

import (
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"qpipe/ops/nn"
)

// timing is what a measurement found, times in nanoseconds of one run.
type timing struct {
	Median int64   `json:"median_ns"`
	Min    int64   `json:"min_ns"`
	Max    int64   `json:"max_ns"`
	Turns  int     `json:"turns"` // how many times the median is of
	Runs   int     `json:"runs"`  // runs a turn
	Allocs float64 `json:"allocs_per_run"`
	Memory int64   `json:"peak_memory_bytes,omitempty"` // of the process, while running
}

// nanoseconds is a monotonic clock.
func nanoseconds() func() int64 {
	began := time.Now()
	return func() int64 { return int64(time.Since(began)) }
}

// The number of turns that a measurement takes: the least for a median that one
// bad turn does not move.
const (
	leastTurns = 3
	mostTurns  = 9
)

// measure runs w for about the given time, after one run that does not count.
func (w *work) measure(about time.Duration) (timing, error) {
	clock := nanoseconds()
	if err := w.run(); err != nil {
		return timing{}, err
	}
	debug.FreeOSMemory() // what making it has left behind is not its memory
	clearPeak()
	from := clock()
	if err := w.run(); err != nil {
		return timing{}, err
	}
	t := timing{Runs: 1, Turns: mostTurns}
	if one := max(clock()-from, 1); int64(about) < mostTurns*one {
		t.Turns = max(leastTurns, int(int64(about)/one))
	} else {
		t.Runs = int(int64(about) / mostTurns / one)
	}
	times := make([]int64, t.Turns)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range times {
		from := clock()
		for range t.Runs {
			if err := w.run(); err != nil {
				return timing{}, err
			}
		}
		times[i] = (clock() - from) / int64(t.Runs)
	}
	runtime.ReadMemStats(&after)
	t.Allocs = float64(after.Mallocs-before.Mallocs) / float64(t.Turns*t.Runs)
	t.Memory = peakMemory()
	slices.Sort(times)
	t.Min, t.Median, t.Max = times[0], times[t.Turns/2], times[t.Turns-1]
	return t, nil
}

// layer is what a node costs in one run.
type layer struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	MACs     int64  `json:"macs"` // of one image, forward
	Forward  int64  `json:"forward_ns"`
	Backward int64  `json:"backward_ns,omitempty"`
}

// layers measures what every node costs: the mean over so many runs as fit into the time.
func (w *work) layers(about time.Duration) ([]layer, error) {
	clock := nanoseconds()
	w.net.Profile(clock)
	defer w.net.Profile(nil)
	runs := int64(0)
	for runs == 0 || clock() < int64(about) {
		if err := w.run(); err != nil {
			return nil, err
		}
		runs++
	}
	return perRun(w.net.Times(), runs), nil
}

func perRun(times []nn.NodeTime, runs int64) []layer {
	list := make([]layer, len(times))
	for i, t := range times {
		list[i] = layer{t.Name, t.Kind, t.MACs, t.Forward / runs, t.Backward / runs}
	}
	return list
}

// kinds sums the layers up by kind, the dearest first.
func kinds(layers []layer) []layer {
	var sums []layer
	for _, l := range layers {
		i := slices.IndexFunc(sums, func(s layer) bool { return s.Kind == l.Kind })
		if i < 0 {
			sums = append(sums, layer{Kind: l.Kind})
			i = len(sums) - 1
		}
		sums[i].MACs += l.MACs
		sums[i].Forward += l.Forward
		sums[i].Backward += l.Backward
	}
	slices.SortStableFunc(sums, func(a, b layer) int {
		return int(min(max(b.Forward+b.Backward-a.Forward-a.Backward, -1), 1))
	})
	return sums
}
