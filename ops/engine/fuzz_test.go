package engine

import (
	"bytes"
	"math"
	"runtime/metrics"
	"testing"

	"qpipe/lang/vary"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel/portable"
	"qpipe/ops/nn"
)

// asked is how many bytes f asks for, and some MiB at most that the fuzzing itself does meanwhile.
func asked(f func()) int64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	before := s[0].Value.Uint64()
	f()
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - before)
}

// FuzzRestore: a damaged structure is an error. A sound one takes memory in proportion
// to its text, is written as it was read, and computes.
func FuzzRestore(f *testing.F) {
	for _, s := range structures(f) {
		f.Add(s)
	}
	f.Add([]byte(`{"version":1,"Nodes":[{"Name":"x","Op":"input"}]}`))
	f.Fuzz(restores)
}

// FuzzStructure is FuzzRestore for texts that are structures, with some values changed.
func FuzzStructure(f *testing.F) {
	all := structures(f)
	for i := range all {
		for how := range 8 {
			f.Add(byte(i), []byte{byte(31 * how), 0, byte(how), 5})
		}
	}
	f.Add(byte(31), []byte("72\x00\x04")) // an operand without codes in the int8 form
	f.Fuzz(func(t *testing.T, which byte, edits []byte) { restores(t, vary.JSON(all[int(which)%len(all)], edits)) })
}

// structures are sound, of every form and with every op.
func structures(f *testing.F) [][]byte {
	g := everyOp(f)
	all := [][]byte{prepared(f, nn.WithBN).Structure(), g.Structure()}
	g.SetQConfig(int8Config("fc"))
	must(f, g.Prepare(nn.QAT, nn.WithBN))
	all = append(all, g.Structure())
	c, err := g.Convert()
	must(f, err)
	return append(all, c.Structure())
}

func restores(t *testing.T, b []byte) {
	var g *nn.Graph
	var err error
	if used := asked(func() { g, err = nn.Restore(b) }); used > 16<<20+100*int64(len(b)) {
		t.Fatalf("%d bytes of memory for a text of %d bytes", used, len(b))
	}
	if err != nil {
		return
	}
	again, err := nn.Restore(g.Structure())
	if err != nil || !bytes.Equal(again.Structure(), g.Structure()) {
		t.Fatalf("read %s, then %v", g.Structure(), err)
	}
	computes(t, again)
}

// computes runs a restored graph, where it is small, in all the ways that its form can be.
func computes(t *testing.T, g *nn.Graph) {
	set := portable.Set()
	all, _ := g.FileBytes()
	work := 0.0
	for _, m := range g.Modules() {
		work += float64(m.Params+m.Out.C) * float64(m.Out.H) * float64(m.Out.W)
	}
	if all < 0 || work < 0 {
		t.Fatalf("%d bytes of parameters, %g operations", all, work)
	}
	trains, phase := g.Form() == nn.Float, Eval // of the others the program evaluates what it has read
	if trains {
		phase = Train
	}
	if need := Need(g, 2, Use{Phase: phase, Set: set, Workers: 1}); need < 0 || need > 1<<23 || all > 1<<20 || work > 1<<24 {
		return
	}
	must(t, g.SetTensors(nil))
	for _, n := range nodesOf(g) {
		n.Quant.Step = 1
		n.Quant.Min, n.Quant.Max = -1, 1
		if convbn.Of(n) != nil && convbn.Of(n).Int8 != nil {
			for i := range convbn.Of(n).Int8.WScale {
				convbn.Of(n).Int8.WScale[i] = 1
			}
		}
	}
	x := make([]float32, 2*g.Input().WithN(1).Len())
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	pool := NewWorkers(1)
	defer pool.Close()
	for _, training := range []bool{false, true} {
		if training && !trains {
			continue
		}
		net, err := Compile(g, 2, training, set, pool)
		if err != nil {
			return
		}
		if training {
			net.Backward(make([]float32, len(net.Forward(x, 2, Train))))
		}
		net.Forward(x, 2, Eval)
	}
}
