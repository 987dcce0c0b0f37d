package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// extreme are the largest and smallest numbers that a text can contain, and numbers near the limits of integer types.
// The first few are tried in a normal test, half of them by each attribute in turn, and all of them with QPIPE_LONG.
var extreme = []string{
	"-1", "0", "1000000000", "2147483648", "9223372036854775807", "1e300",
	"1", "1000000000000", "9007199254740992", "9223372036854775808", "-9223372036854775808", "-1e300", "1e-300", "0.5", "4294967296", "1e18", "1000000",
}

// alwaysTried is how many of them a normal test tries.
const alwaysTried = 6

func extremes() []string {
	if os.Getenv("QPIPE_LONG") != "" {
		return extreme
	}
	return extreme[:alwaysTried]
}

// withExtremes are the pipelines, made from those of effects, in which an attribute with a number, a list of numbers or
// a schedule has an extreme value.
func withExtremes(key string, e effect) map[string]slots {
	attr := key[strings.LastIndex(key, ".")+1:]
	value := regexp.MustCompile(`\b` + attr + `\s*=\s*(-?[0-9][0-9.e+-]*|\[[0-9][^\]]*\]|"(?:step|epoch|every) [^"]*")`)
	out := map[string]slots{}
	for _, s := range []slots{e.b, e.a} {
		for slot, text := range s {
			at := value.FindStringSubmatchIndex(text)
			if at == nil {
				continue
			}
			old := text[at[2]:at[3]]
			put := func(name, v string) {
				with := maps.Clone(s)
				with[slot] = text[:at[2]] + v + text[at[3]:]
				out[name] = with
			}
			for _, n := range extremes() {
				switch {
				case old[0] == '[':
					put(n, "["+n+"]")
					put("1, "+n, "[1, "+n+"]")
				case old[0] == '"':
					put(n, regexp.MustCompile(`[0-9]+`).ReplaceAllString(old, n))
					put("every "+n, fmt.Sprintf(`"every %s steps from %s to %s"`, n, n, n))
				default:
					put(n, n)
				}
			}
			if old[0] == '[' {
				put("many", "["+strings.Repeat("0.5, ", 20_000)+"0.5]")
			}
		}
	}
	return out
}

// TestCheckpointsAtTheirExtremes: a checkpoint with a correct hash and numbers that no run reaches is refused,
// continued to an end, or evaluated, without a stack trace.
func TestCheckpointsAtTheirExtremes(t *testing.T) {
	dir := t.TempDir()
	file, run := filepath.Join(dir, "x.hcl"), filepath.Join(dir, "run")
	must(t, os.WriteFile(file, []byte(effectPipeline(slots{"callback": `callback "ExponentialMovingAverage" { decay = 0.9 }`})), 0o600))
	command := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := cli.Main(append(args, file), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out, Environ: environ()}, stdlib.Catalog())
		return code, out.String()
	}
	if code, said := command("run", "-out", run, "-stage", "float"); code != 0 {
		t.Fatal(said)
	}
	last := filepath.Join(run, "float", "last.safetensors")
	sound, err := artifact.Read(last)
	must(t, err)
	for name, set := range map[string]func(s *checkpoint.Snapshot, n int64){
		"seed":            func(s *checkpoint.Snapshot, n int64) { s.Seed = n },
		"epoch":           func(s *checkpoint.Snapshot, n int64) { s.Epoch = int(n) },
		"step":            func(s *checkpoint.Snapshot, n int64) { s.Step = int(n) },
		"lr":              func(s *checkpoint.Snapshot, n int64) { s.LR = float64(n) },
		"hooks":           func(s *checkpoint.Snapshot, n int64) { s.Position.Hooks = int(n) },
		"validated":       func(s *checkpoint.Snapshot, n int64) { s.Position.Validated = int(n) },
		"images":          func(s *checkpoint.Snapshot, n int64) { s.Position.Images = int(n) },
		"loss_sum":        func(s *checkpoint.Snapshot, n int64) { s.Position.LossSum = float64(n) },
		"steps_per_epoch": func(s *checkpoint.Snapshot, n int64) { s.Position.StepsPerEpoch = int(n) },
		"state": func(s *checkpoint.Snapshot, n int64) {
			s.Callbacks[0].State = map[string]float64{"updates": float64(n)}
		},
		"height": func(s *checkpoint.Snapshot, n int64) { s.Inputs[0].Height, s.Inputs[0].Channels = int(n), int(n) },
		"absorbed": func(s *checkpoint.Snapshot, n int64) {
			s.Absorbed = []checkpoint.Absorption{{Module: "backbone.conv1", BN: "backbone.conv1.bn", Step: int(n), Integers: int(n)}}
		},
	} {
		values := []int64{-1, math.MaxInt64}
		if os.Getenv("QPIPE_LONG") != "" {
			values = append(values, 0, 3, 1<<31, math.MinInt64)
		}
		for _, n := range values {
			s := *sound
			s.Callbacks = slices.Clone(s.Callbacks)
			set(&s, n)
			data, err := artifact.Encode(&s)
			must(t, err)
			path := filepath.Join(dir, "last.safetensors")
			must(t, os.WriteFile(path, data, 0o600))
			for _, args := range [][]string{{"run", "-out", run, "-stage", "float", "--resume=" + path}, {"eval", path, "-data", "dataset.test"}} {
				if code, said := command(args...); code > 1 || trace.MatchString(said) {
					t.Errorf("%s = %d: %s: exit code %d\n%.2000s", name, n, args[0], code, said)
				}
			}
		}
	}
}

// trace matches output that no user may see.
var trace = regexp.MustCompile(`goroutine \d|panic:|fatal error|runtime error|QP9\d\d|\.go:\d`)

// TestNumbersAtTheirExtremes: plan accepts every extreme number of every part and block, or refuses it with a mistake
// at its place, in time and without a stack trace. The machine has 1 GiB, so what is accepted needs no more.
func TestNumbersAtTheirExtremes(t *testing.T) {
	numbers := 0
	table := effects(t)
	for _, key := range slices.Sorted(maps.Keys(table)) {
		all := withExtremes(key, table[key])
		if len(all) == 0 {
			continue
		}
		numbers++
		if os.Getenv("QPIPE_LONG") == "" {
			for i, value := range slices.Sorted(maps.Keys(all)) {
				if len(all) > 2 && (i+numbers)%2 == 0 {
					delete(all, value)
				}
			}
		}
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for value, s := range all {
				file := filepath.Join(dir, "x.hcl")
				must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
				var out bytes.Buffer
				streams := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out, Environ: environ(), Memory: func() int64 { return 1 << 30 }}
				began := time.Now()
				code := cli.Main([]string{"plan", "-out", filepath.Join(dir, "run"), file}, streams, stdlib.Catalog())
				if took := time.Since(began); code > 1 || trace.MatchString(out.String()) || took > 10*time.Second {
					t.Errorf("%s: exit code %d after %v\n%.2000s", value, code, took, out.String())
				}
			}
		})
	}
	if numbers < 60 {
		t.Errorf("only %d attributes with numbers are found", numbers)
	}
}
