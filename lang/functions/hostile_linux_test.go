package functions_test

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/check"
	"qpipe/lang/functions"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// mostWork is what the work of a pipeline's expressions may take: 2 s, on a machine that is three times as slow.
const mostWork = 6 * time.Second

// argument is a value that is passed to functions, as a pipeline says it; it may refer to those before.
type argument struct{ name, text string }

// arguments are values of all types that make functions work hard: long and large ones, and small ones that are
// costly to read, write or compare. Those from large on take long to use.
func arguments() []argument {
	times := func(n int, element string) string { return fmt.Sprintf("[for i in range(%d) : %s]", n, element) }
	joined := func(n int, part string) string { return fmt.Sprintf("join(\"\", %s)", times(n, `"`+part+`"`)) }
	list := []argument{
		{"zero", "0"},
		{"two", "2"},
		{"thousand", "1000"},
		{"below", "-1"},
		{"third", "1/3"},
		{"tiny", "1e-300/7"},
		{"huge", "1e308"},
		{"long", strings.Repeat("9", 300)},
		{"none", "null"},
		{"yes", "true"},
		{"word", `"a"`},
		{"empty", `""`},
		{"power", `"1e1000000"`},
		{"root", `"1e-1000000"`},
		{"digits", `"` + strings.Repeat("9", 390) + `"`},
		{"date", `"2026-01-31T10:00:00Z"`},
		{"hour", `"1h30m"`},
		{"day", `"YYYY-MM-DD"`},
		{"pattern", `"(a|b|ab)*c"`},
		{"classes", `"/[\\pL]{20}/"`},
		{"wide", `"%999d%999s"`},
		{"verb", `"%v%#v%q"`},
		{"coded", `"YWJj"`},
		{"star", `"*/*"`},
		{"r", times(1000, "i")},
		{"text", joined(1000, "abcdefgh")},
		{"marks", joined(1000, `e\u0301`)},
		{"flags", joined(1000, `\U0001F1E9`)},
		{"verbs", joined(100, "%s")},
		{"commas", joined(1000, ",")},
		{"lines", joined(1000, `\n`)},
		{"table", joined(1000, `a,b\n`)},
		{"open", joined(90, "[")},
		{"json", "jsonencode(local.r)"},
		{"powers", `"[${join(",", ` + times(300, `"1e99999"`) + `)}]"`},
		{"texts", times(1000, `"k${i}"`)},
		{"thirds", times(1000, "i/7")},
		{"tinies", times(300, "i*1e-300")},
		{"bools", times(1000, "true")},
		{"pairs", times(500, `[i, "a"]`)},
		{"objects", times(500, "{ a = i }")},
		{"different", times(300, `{ "k${i}" = i }`)},
		{"mixed", "concat(local.r, local.texts)"},
		{"lists", times(200, "tolist([i])")},
		{"nulls", times(1000, "null")},
		{"object", `{ for i in local.r : "k${i}" => i }`},
		{"map", "tomap(local.object)"},
		{"set", "toset(" + times(150, "i") + ")"},
		{"parts", "toset(" + times(40, "i/7") + ")"},
		{"tuples", "toset(" + times(20, "[i/7]") + ")"},
		{"deep", strings.Repeat("[", 90) + "1" + strings.Repeat("]", 90)},
		{"d0", "[1, 1]"},
	}
	for i := range 13 {
		list = append(list, argument{fmt.Sprintf("d%d", i+1), fmt.Sprintf("[local.d%d, local.d%[1]d]", i)})
	}
	var objects []string
	for _, c := range "abcd" {
		objects = append(objects, fmt.Sprintf("{ for i in range(900) : \"%c${i}\" => i }", c))
	}
	return append(list,
		argument{"large", times(300, "range(100)")}, argument{"flat", "flatten(local.large)"}, argument{"named", "merge(" + strings.Join(objects, ", ") + ")"},
		argument{"letters", `split("", join("", ` + times(4, "local.text") + "))"}, argument{"body", `join("", ` + times(400, "local.text") + ")"},
		argument{"accents", `join("", ` + times(400, "local.marks") + ")"}, argument{"yeses", "[for x in local.flat : true]"},
	)
}

// TestHostileCalls calls every function of the table with such arguments, and holds the time of each call against
// what the call was charged: what a pipeline may spend at this price must not take longer than it may work. With QPIPE_LONG
// the large ones too, more of them, and whole pipelines that call the function again and again.
func TestHostileCalls(t *testing.T) {
	long := os.Getenv("QPIPE_LONG") != ""
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte(strings.Repeat("e\u0301${1}%{for i in [1,2]}${i}%{endfor}", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]cty.Value{}
	var names []string
	for _, a := range arguments() {
		if a.name == "large" && !long {
			break
		}
		v, err := call(t, functions.NewBudget(), dir, values, a.text)
		if err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		values[a.name], names = v, append(names, a.name)
	}
	table := functions.Table(dir, functions.NewBudget())
	delete(table, syntax.Charge)
	unmetered := functions.Unmetered(dir, functions.NewBudget())
	known := map[string][]string{}
	fitting := func(ty cty.Type) []string {
		key := ty.GoString()
		if known[key] == nil {
			known[key] = slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, err := functions.Convert(values[n], ty); return err != nil })
		}
		return known[key]
	}
	tried := 4
	if long {
		tried = 30
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		t.Run(name, func(t *testing.T) {
			seed := fnv.New32()
			_, _ = seed.Write([]byte(name))
			random := rand.New(rand.NewSource(int64(seed.Sum32())))
			var calls []string
			for range tried {
				c := drawn(random, name, unmetered[name], fitting)
				calls = append(calls, c)
				price := time.Duration(1 << 62)
				for try := 0; try < 5 && price > mostWork/functions.AllUnits; try++ { // the collector may have been at work
					price = min(price, priced(t, dir, values, c))
				}
				if price > mostWork/functions.AllUnits {
					t.Errorf("%s: %v for a unit", c, price)
				}
			}
			if long {
				again(t, dir, calls)
			}
		})
	}
}

// drawn makes a call of a function, mostly of values that its parameters take.
func drawn(random *rand.Rand, name string, f function.Function, fitting func(cty.Type) []string) string {
	params := f.Params()
	if rest := f.VarParam(); rest != nil {
		for range 1 + random.Intn(3) {
			params = append(params, *rest)
		}
	}
	var args []string
	for _, p := range params {
		const mostly = 4
		if random.Intn(mostly) == 0 || p.Type == customdecode.ExpressionClosureType {
			p.Type = cty.DynamicPseudoType
		}
		choice := fitting(p.Type)
		args = append(args, "local."+choice[random.Intn(len(choice))])
	}
	text := name + "(" + strings.Join(args, ", ")
	if f.VarParam() != nil && random.Intn(4) == 0 {
		text += "..."
	}
	return text + ")"
}

// evaluator makes an expression of a text.
func evaluator(t *testing.T, b *functions.Budget, dir string, values map[string]cty.Value, text string) func() (cty.Value, error) {
	t.Helper()
	files, _ := syntax.ParseSource("x", nil)
	expr, list := files.AddExpression("e", []byte(text))
	if list.HasErrors() {
		t.Fatalf("%s: %s", text, list[0].Summary)
	}
	needed := map[string]cty.Value{}
	for _, v := range expr.Variables() {
		if name := v[1].(hcl.TraverseAttr).Name; v.RootName() == "local" {
			needed[name] = values[name]
		}
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"local": cty.ObjectVal(needed)}, Functions: functions.Table(dir, b)}
	return func() (v cty.Value, err error) {
		defer func() {
			if p := recover(); p == any(syntax.ErrGivenUp) {
				err = syntax.ErrGivenUp
			} else if p != nil {
				panic(p)
			}
		}()
		b.Refill()
		v, diags := expr.Value(ctx)
		if diags.HasErrors() {
			return v, diags
		}
		return v, nil
	}
}

func call(t *testing.T, b *functions.Budget, dir string, values map[string]cty.Value, text string) (cty.Value, error) {
	t.Helper()
	return evaluator(t, b, dir, values, text)()
}

// priced is the time of this thread that a unit takes where a call is made again and again.
func priced(t *testing.T, dir string, values map[string]cty.Value, text string) time.Duration {
	t.Helper()
	const enough = time.Millisecond / 2
	const loop = 4 // units that a loop takes around it, at least
	b := functions.NewBudget()
	call := evaluator(t, b, dir, values, text)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, calls := work(t, rusageThread), 0
	took := func() time.Duration { return work(t, rusageThread) - began }
	for calls == 0 || took() < enough && !b.Spent() {
		_, _ = call()
		calls++
	}
	return took() / time.Duration(functions.AllUnits-b.All()+loop*calls)
}

// rusageThread says getrusage to look at this thread; package syscall has no name for it.
const rusageThread = 1

func work(t *testing.T, who int) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// again checks pipelines that make calls until they have spent everything.
func again(t *testing.T, dir string, calls []string) {
	t.Helper()
	needed := map[string]bool{"r": true}
	name := regexp.MustCompile(`local\.(\w+)`)
	need := func(text string) {
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			needed[m[1]] = true
		}
	}
	var locals []string
	for i, c := range calls {
		need(c)
		locals = append(locals, fmt.Sprintf("  x%d = [for i in local.r : [for j in local.r : can(%s)]]\n", i, c))
	}
	for _, a := range slices.Backward(arguments()) {
		if needed[a.name] {
			need(a.text)
			locals = append(locals, fmt.Sprintf("  %s = %s\n", a.name, a.text))
		}
	}
	text := "locals {\n" + strings.Join(locals, "") + "}\n"
	debug.FreeOSMemory()
	began, ended, peak := work(t, syscall.RUSAGE_SELF), make(chan bool), make(chan uint64)
	go func() { peak <- highest(ended) }()
	files, list := syntax.ParseSource(filepath.Join(dir, "x.hcl"), []byte(text))
	if list.HasErrors() {
		t.Fatal(list[0].Summary)
	}
	_, _ = check.Check(files, check.Options{Signatures: nothing{}})
	took := work(t, syscall.RUSAGE_SELF) - began
	close(ended)
	most := <-peak
	t.Logf("%d bytes: %v, %d MB", len(text), took, most>>20)
	if took > mostWork || most > 512<<20 {
		t.Errorf("%v of work, %d MB:\n%s", took, most>>20, text)
	}
}

// highest is the most memory that the process was seen with.
func highest(ended <-chan bool) (most uint64) {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for {
		metrics.Read(s)
		most = max(most, s[0].Value.Uint64()-s[1].Value.Uint64())
		select {
		case <-ended:
			return most
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// nothing has no parts.
type nothing struct{}

func (nothing) Signature(program.Kind, string) (program.Signature, bool) {
	return program.Signature{}, false
}
func (nothing) Names(program.Kind) []string { return nil }
