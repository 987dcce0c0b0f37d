// Command gen writes the assembly of the kernel sets, the Go declarations beside
// it, and the Go code that is the same in both sets. It is a module of its own, so that the program does not depend on
// the assembler's library. Run it in its folder, through `make asm`:
//
//	go run . -out ..
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"

	"qpipe/ops/kernel/gen/formula"
)

// files is the table: a row for each pair of generated files, <set>/<name>_amd64.s and .go.
var files = []struct {
	set, name string
	write     func(c *build.Context)
}{
	{"avx512", "gemm", gemm512},
	{"avx2", "gemm", gemm256},
	{"avx512", "gemm8", gemm8avx512},
	{"avx2", "gemm8", gemm8avx2},
	{"avx512", "passfloat", wide(passFloat)},
	{"avx2", "passfloat", narrow(passFloat)},
	{"avx512", "passplain", wide(passPlain)},
	{"avx2", "passplain", narrow(passPlain)},
	{"avx512", "lookup", wide(passLookup)},
	{"avx2", "lookup", narrow(passLookup)},
	{"avx512", "formula", formula.Wide},
	{"avx2", "formula", formula.Narrow},
	{"avx512", "passreduce", wide(passReduce)},
	{"avx2", "passreduce", narrow(passReduce)},
	{"avx512", "pool", wide(pools)},
	{"avx2", "pool", narrow(pools)},
	{"avx512", "depthwise", depthwiseRows(true)},
	{"avx512", "depthwise_grad", depthwiseGrads(true)},
	{"avx512", "depthwise_nine", depthwiseNines(true)},
	{"avx512", "depthwise_int8", depthwiseInt8},
	{"avx512", "depthwise_taps8", depthwiseTaps8(true)},
	{"avx2", "depthwise", depthwiseRows(false)},
	{"avx2", "depthwise_grad", depthwiseGrads(false)},
	{"avx2", "depthwise_nine", depthwiseNines(false)},
	{"avx2", "depthwise_taps8", depthwiseTaps8(false)},
}

func main() {
	flags := flag.NewFlagSet("gen", flag.ExitOnError) // avo has flags of its own on the default set
	out := flags.String("out", "..", "folder of the kernel sets")
	only := flags.String("only", "", "write only set/name")
	flags.Parse(os.Args[1:])
	for _, f := range files {
		if id := f.set + "/" + f.name; *only == "" || *only == id {
			check(id, generate(filepath.Join(*out, f.set), f.set, f.name, f.write))
		}
	}
	for _, g := range goFiles() {
		if id := g.Set + "/" + g.name; *only == "" || *only == id {
			check(id, g.write(filepath.Join(*out, g.Set)))
		}
	}
}

// check ends the program after an error.
func check(id string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "gen: %s: %v\n", id, err)
		os.Exit(1)
	}
}

// generate writes one pair of files.
func generate(dir, set, name string, write func(c *build.Context)) error {
	c := build.NewContext()
	write(c)
	f, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return err
	}
	cfg := printer.Config{Name: "ops/kernel/gen", Pkg: set}
	for _, p := range []struct {
		ext string
		new printer.Builder
	}{{".s", printer.NewGoAsm}, {".go", printer.NewStubs}} {
		text, err := p.new(cfg).Print(f)
		if err != nil {
			return err
		}
		if err := save(filepath.Join(dir, name+"_amd64"+p.ext), text); err != nil {
			return err
		}
	}
	return nil
}

// save writes a file, unless it has this text.
func save(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return os.WriteFile(path, text, 0o644)
}
