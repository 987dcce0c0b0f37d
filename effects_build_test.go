package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/lang/check"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/syntax"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/tensor"
	"qpipe/stdlib"
)

// builds reports whether an attribute is tried by its network alone, as most arguments of models and layers are: what the pipeline makes of
// a network is tried elsewhere. With QPIPE_LONG they are tried in pipelines, too.
func (e *effect) builds(key string) bool {
	kind, _, _ := strings.Cut(key, ".")
	return (kind == "layer" || kind == "model") && e.until == "" && os.Getenv("QPIPE_LONG") == ""
}

// buildEffect builds the network of the pipeline for images of 28×28 and returns its structure and what it computes: a training step, and an
// evaluation after it; or why there is none.
func buildEffect(t *testing.T, s slots) (result, log string) {
	t.Helper()
	texts, list := syntax.ParseSource("effect.hcl", []byte(effectPipeline(s)))
	prog, more := check.Check(texts, check.Options{Signatures: stdlib.Catalog()})
	for _, d := range append(list, more...) {
		if d.Severity == diag.Error {
			return "exit code", d.Summary
		}
	}
	model, err := part.New[part.Model](stdlib.Catalog(), prog.Models[0].Call)
	if err != nil {
		return "exit code", err.Error()
	}
	built, err := part.Build(model, []tensor.Shape{{H: 28, W: 28, C: 1}}, files.Folder)
	if err != nil {
		return "exit code", err.Error()
	}
	g := built.Graph
	must(t, built.Init(1))
	set, err := sets.ByName("")
	must(t, err)
	pool := engine.NewWorkers(1)
	defer pool.Close()
	net, err := engine.Compile(g, 2, true, set, pool)
	must(t, err)
	net.SetKey(1)
	x := make([]float32, 2*28*28)
	for i := range x {
		x[i] = float32(i*7919%2003)/1001 - 1
	}
	h := sha256.New()
	for _, phase := range []engine.Phase{engine.Train, engine.Eval} {
		for _, y := range net.ForwardAll([][]float32{x}, 2, phase) {
			fmt.Fprintln(h, y)
		}
	}
	return fmt.Sprintf("%s %x", g.Structure(), h.Sum(nil)), ""
}
