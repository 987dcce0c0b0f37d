package functions

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/syntax"
)

// FuzzFunctions calls every function with texts, numbers and lists of them: it gives a
// value or an error, not a panic, and what is decoded is encoded to the same again.
func FuzzFunctions(f *testing.F) {
	names := slices.Sorted(maps.Keys(Table(".", NewBudget())))
	names = slices.DeleteFunc(names, func(n string) bool { return n == syntax.Charge || n == "fileset" })
	for i := range names {
		f.Add(byte(i), byte(0x1b), "a", `{"a":[1,null,"x"]}`, 2.0)
		f.Add(byte(i), byte(0xe4), "%[2]d %s\n", "a,b\n1,\"2\"\n", -1.5)
	}
	at := func(name string) byte { return byte(slices.Index(names, name)) }
	f.Add(at("jsondecode"), byte(0), `{"a":1,"a":2}`, "", 0.0)
	f.Add(at("formatdate"), byte(0), "YYYY-MM-DD'T'hh:mm", "2026-01-02T03:04:05Z", 0.0)
	f.Add(at("indent"), byte('\\'), "0", "0", -8.0)
	f.Add(at("regex"), byte(0), "(?P<x>a+)|b", "aab", 0.0)
	f.Add(at("templatefile"), byte(0xff), "t", "%{ for x in [1] }${x}%{ endfor }", 0.0)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, which, types byte, a, b string, n float64) {
		if len(a)+len(b) > 1<<12 || n != n || n > 1e15 || n < -1e15 {
			return
		}
		name := names[int(which)%len(names)]
		if strings.Contains(name, "file") {
			if err := os.WriteFile(filepath.Join(dir, "t"), []byte(b), 0o600); err != nil {
				t.Fatal(err)
			}
			a = "t"
		}
		budget := NewBudget()
		table := Table(dir, budget)
		call := func(name string, args ...cty.Value) (cty.Value, error) {
			budget.Refill()
			v, err := table[name].Call(args)
			var panicked function.PanicError
			if errors.As(err, &panicked) || err != nil && strings.Contains(err.Error(), "goroutine") {
				t.Errorf("%s%#v: %v", name, args, err)
			}
			return v, err
		}
		choices := []cty.Value{
			cty.StringVal(a), cty.StringVal(b), cty.NumberFloatVal(n), cty.ListVal([]cty.Value{cty.StringVal(a), cty.StringVal(b)}),
		}
		choices = append(choices, cty.EmptyObjectVal, cty.NullVal(cty.String), cty.TupleVal(choices[:3]), cty.UnknownVal(cty.String))
		call1, call2, call3 := choices[0], choices[1], choices[types&7]
		if types&8 > 0 {
			call1 = choices[types>>5]
		}
		for _, args := range [][]cty.Value{{}, {call1}, {call1, call2}, {call1, call3}, {call1, call2, call3}, {call3, call1, choices[types>>4&7]}} {
			_, _ = call(name, args...)
		}
		for decode, encode := range map[string]string{"jsondecode": "jsonencode", "base64decode": "base64encode"} {
			v, err := call(decode, cty.StringVal(b))
			if err != nil || !v.IsWhollyKnown() {
				continue
			}
			text, err := call(encode, v)
			if err != nil {
				t.Errorf("%s(%q) cannot be encoded: %v", decode, b, err)
				continue
			}
			if again, err := call(decode, text); err != nil || !again.RawEquals(v) {
				t.Errorf("%s(%q) and again: %#v, %#v, %v", decode, b, v, again, err)
			}
		}
	})
}
