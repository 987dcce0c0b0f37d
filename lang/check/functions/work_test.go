package functions

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/syntax"
)

// shape is a kind of value that grows.
type shape struct {
	name string
	make func(n int) cty.Value
}

func texts(parts ...string) []shape {
	var out []shape
	for _, p := range parts {
		out = append(out, shape{fmt.Sprintf("text of %q", p), func(n int) cty.Value { return cty.StringVal(strings.Repeat(p, n/len(p)+1)) }})
	}
	return out
}

func list(n int, of func(i int) cty.Value) []cty.Value {
	out := make([]cty.Value, n)
	for i := range out {
		out[i] = of(i)
	}
	return out
}

// shapes are values of about n bytes of text each.
func shapes() []shape {
	name := func(i int) cty.Value { return cty.StringVal(fmt.Sprint("name", i)) }
	number := func(i int) cty.Value { return cty.NumberIntVal(100_000_000_000_000 + int64(i)) } // their hashes are equal in a set
	object := func(i int) cty.Value { return cty.ObjectVal(map[string]cty.Value{fmt.Sprint("k", i): name(i)}) }
	named := func(n int, of func(int) cty.Value) map[string]cty.Value {
		out := map[string]cty.Value{}
		for i := range n {
			out[fmt.Sprint("k", i)] = of(i)
		}
		return out
	}
	return append(texts("a", "1", "\n", "a,", "[", "[0],", "\"", "%d", "%99d", "é", "e\u0301", "\U0001F469\u200d", "a.*", "(a|b)*", "/a.*b|a/", "$1", "{", "-", " "),
		shape{"names", func(n int) cty.Value { return cty.ListVal(list(n/8, name)) }},
		shape{"equal names", func(n int) cty.Value {
			return cty.ListVal(list(n/4, func(int) cty.Value { return cty.StringVal("x") }))
		}},
		shape{"large numbers", func(n int) cty.Value { return cty.TupleVal(list(n/8, number)) }},
		shape{"a set", func(n int) cty.Value { return cty.SetVal(list(min(n/8, 20_000), name)) }},
		shape{"numbers as text", func(n int) cty.Value {
			return cty.TupleVal(list(n/256, func(int) cty.Value { return cty.StringVal(strings.Repeat("9", 256)) }))
		}},
		shape{"mixed", func(n int) cty.Value {
			return cty.TupleVal(list(n/8, func(i int) cty.Value { return []cty.Value{name(i), number(i), cty.True}[i%3] }))
		}},
		shape{"objects", func(n int) cty.Value { return cty.TupleVal(list(n/16, object)) }},
		shape{"lists of lists", func(n int) cty.Value {
			return cty.TupleVal(list(n/16, func(i int) cty.Value { return cty.TupleVal(list(2, name)) }))
		}},
		shape{"a long list in a list", func(n int) cty.Value { return cty.TupleVal([]cty.Value{cty.ListVal(list(n/8, name))}) }},
		shape{"an object", func(n int) cty.Value { return cty.ObjectVal(named(n/8, name)) }},
		shape{"a map", func(n int) cty.Value { return cty.MapVal(named(n/8, name)) }},
		shape{"rows", func(n int) cty.Value { return cty.StringVal("a,b\n" + strings.Repeat("1,2\n", n/4)) }},
		shape{"columns", func(n int) cty.Value {
			var b strings.Builder
			for i := range n / 16 {
				fmt.Fprintf(&b, "c%d,", i)
			}
			return cty.StringVal(b.String() + "c\n" + strings.Repeat("1,", n/16) + "1\n")
		}},
		shape{"JSON", func(n int) cty.Value { return cty.StringVal("[" + strings.Repeat("{\"a\":1},", n/8) + "0]") }},
		shape{"deep JSON", func(n int) cty.Value { return cty.StringVal(strings.Repeat("[", n/2) + strings.Repeat("]", n/2)) }},
		shape{"repeated repetitions", func(n int) cty.Value { return cty.StringVal(strings.Repeat("(((a{10}){10}){10})", min(n, 4000)/20)) }},
		shape{"a path", func(n int) cty.Value { return cty.StringVal(strings.Repeat("../", n/3)) }},
	)
}

// TestWork: a call with arguments of any size ends soon, with a value or an error. The sizes
// double, up to that of the largest file that can be read.
func TestWork(t *testing.T) {
	sizes := []int{1 << 21}
	if os.Getenv("QPIPE_LONG") != "" {
		sizes = []int{1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 21, maxRead}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big"), []byte(strings.Repeat("${a}x", maxRead/5)), 0o600); err != nil {
		t.Fatal(err)
	}
	small := []cty.Value{cty.StringVal("a"), cty.NumberIntVal(2), cty.StringVal("/"), cty.NumberIntVal(1_000_000_000), cty.StringVal("big"), cty.StringVal("/a.*b|a/"), cty.StringVal("(a|b|ab)*c|a")}
	budget := NewBudget()
	table := Table(dir, budget)
	names := slices.Sorted(maps.Keys(table))
	spent := map[string]time.Duration{}
	defer func() {
		for k, v := range spent {
			if v > time.Second {
				fmt.Println(k, v)
			}
		}
	}()
	for _, n := range sizes {
		for _, s := range shapes() {
			fmt.Println(s.name, time.Now())
			large := s.make(n)
			for _, name := range names {
				if name == syntax.Charge || name == "try" || name == "can" {
					continue
				}
				args := [][]cty.Value{{large}, {large, large}, {large, large, large}}
				for _, v := range small {
					args = append(args, []cty.Value{large, v}, []cty.Value{v, large}, []cty.Value{large, v, v}, []cty.Value{large, v, large}, []cty.Value{v, large, large})
				}
				for i, a := range args {
					f := table[name]
					if most := len(f.Params()); len(a) < most || f.VarParam() == nil && len(a) > most {
						continue
					}
					budget.all = allUnits // as for the first expression of a pipeline
					budget.Refill()
					began := time.Now()
					_, _ = f.Call(a)
					spent[name] += time.Since(began)
					if took := time.Since(began); took > time.Duration(slowest)*time.Millisecond {
						fmt.Printf("%s with %s of %d (%d): %v\n", name, s.name, n, i, took)
					}
				}
			}
		}
	}
}

// slowest is generous, for the sake of machines that do other things too.
const slowest = 500
