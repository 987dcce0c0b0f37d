package lower_test

import (
	"os"
	"path/filepath"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/lower"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/vary"
	"qpipe/ops/nn"
)

// FuzzPeeked changes the header of a checkpoint that a pipeline loads. validate reads such a
// file without checking its hash. It must answer with diagnostics that have a code.
func FuzzPeeked(f *testing.F) {
	sound, _ := parttest.Flow()
	plan, _ := lower.Lower(sound, parttest.Catalog())
	var all [][]byte
	for _, name := range []string{"float", "qat", "int_infer"} {
		g := plan.Stage(name).Model.Clone()
		if g.Form() != nn.Quantized {
			g.Init(1)
		}
		snap := &checkpoint.Snapshot{
			Stage: name, Form: g.Form(), Mode: g.Mode(), Structure: g.Structure(),
			Absorbed: []checkpoint.Absorption{{Module: "body.a.conv", BN: "body.a.bn", WeightScale: "keep", Epoch: 1}},
			FrozenBN: []string{"body.b.conv"}, Best: map[string]float64{"accuracy": 0.5},
			Callbacks: []checkpoint.CallbackState{{Name: "Checkpoint[0]", State: map[string]float64{"best": 1}}},
		}
		if g.Form() != nn.Quantized {
			snap.Model, snap.Shadow = g.Tensors(), g.Tensors()
		}
		data, err := artifact.Encode(snap)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, data)
	}
	for i := range all {
		for how := range 16 {
			f.Add(byte(i), []byte{byte(17 * how), 0, byte(how), 5}, byte(how), []byte{byte(7 * how), 0, byte(how), 1}, byte(how))
		}
	}
	path := filepath.Join(f.TempDir(), "f.safetensors")
	f.Fuzz(func(t *testing.T, which byte, edits []byte, key byte, inside []byte, how byte) {
		head, data := vary.Split(all[int(which)%len(all)])
		if err := os.WriteFile(path, vary.Join(vary.Header(head, edits, key, inside), data), 0o600); err != nil {
			t.Fatal(err)
		}
		p, x := parttest.Flow()
		load := x.Call(program.ConverterKind, "LoadCheckpoint", "l", parttest.LoadArgs{
			CheckpointPath: program.Checkpoint{Path: path}, AllowMiss: how&1 > 0, CheckHash: how&4 > 0,
		}, "checkpoint_path")
		stage := p.Stages[int(how>>3)%len(p.Stages)]
		if stage.Convert == nil {
			stage.Convert = x.Convert("l", "", nil)
		}
		stage.Convert.Converters = append([]program.Call{load}, stage.Convert.Converters...)
		_, list := lower.Lower(p, parttest.Catalog())
		for _, d := range list {
			if d.Code == "" || d.Code == diag.Bug || d.Summary == "" {
				t.Errorf("%s %s: %s", d.Code, d.Summary, d.Detail)
			}
		}
	})
}
