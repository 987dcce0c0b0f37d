package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// extreme are numbers at the ends of what a text can say, and beside what programs
// count in; the first few are tried always, all of them with QPIPE_LONG.
var extreme = []string{
	"-1", "0", "1000000000", "2147483648", "9223372036854775807", "1e300",
	"1", "1000000000000", "9007199254740992", "9223372036854775808", "-9223372036854775808", "-1e300", "1e-300", "0.5", "4294967296", "1e18", "1000000",
}

// alwaysTried is how many of them a plain test tries.
const alwaysTried = 6

func extremes() []string {
	if os.Getenv("QPIPE_LONG") != "" {
		return extreme
	}
	return extreme[:alwaysTried]
}

// withExtremes are the pipelines in which an attribute that holds a number, a list of numbers
// or a schedule has an extreme in its place: by the value, made of what effects tries.
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

// trace is what no user may see.
var trace = regexp.MustCompile(`goroutine \d|panic:|fatal error|runtime error|QP9\d\d|\.go:\d`)

// TestNumbersAtTheirExtremes: every number of every part and block, at its extremes, is
// taken or refused by plan with a mistake at its place: in time, and without a trace. With a
// machine that has 1 GiB, so that what is taken needs no more.
func TestNumbersAtTheirExtremes(t *testing.T) {
	numbers := 0
	table := effects(t)
	for _, key := range slices.Sorted(maps.Keys(table)) {
		all := withExtremes(key, table[key])
		if len(all) == 0 {
			continue
		}
		numbers++
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for value, s := range all {
				file := filepath.Join(dir, "x.hcl")
				must(t, os.WriteFile(file, []byte(effectPipeline(s)), 0o600))
				var out bytes.Buffer
				streams := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out, Environ: os.Environ(), Memory: func() int64 { return 1 << 30 }}
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
