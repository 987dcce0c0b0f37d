package exec

import (
	"context"
	"path/filepath"
	"testing"

	"qpipe/interp/lower"
	"qpipe/interp/parttest"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
)

// TestTooMuchMemory: if the memory of a stage is known only after its data was opened, the run
// reports then that it is too much; a plan does not.
func TestTooMuchMemory(t *testing.T) {
	p, _ := parttest.Flow()
	p.Stages = p.Stages[:1]
	p.Datasets[0].Args = parttest.DotsArgs{N: 4000, Size: 60, Classes: 3, Uncounted: true}
	p.Datasets[1].Args = parttest.DotsArgs{N: 24, Size: 60, Classes: 3}
	p.Stages[0].Trainer.BatchSize = 4000
	plan, list := lower.For(p, parttest.Catalog(), stage.Machine{Memory: 100 << 20, Cores: 2})
	if list.HasErrors() {
		t.Fatal(list[0].Summary)
	}
	o := world(filepath.Join(t.TempDir(), "run"))
	decisions, _ := Explain(plan, o)
	if len(decisions) != 1 || decisions[0].Memory != 0 {
		t.Errorf("the plan says %+v", decisions)
	}
	_, list = Run(context.Background(), plan, o)
	if len(list) != 1 || list[0].Code != diag.TooMuchMemory || list[0].Subject != p.Stages[0].Trainer.Origin.At("batch_size") {
		t.Fatalf("%v", list)
	}

	p.Datasets[0].Args = parttest.DotsArgs{N: 40, Size: 60, Classes: 3}
	p.Stages[0].Trainer.BatchSize = 8
	if decisions, _ = Explain(lowered(t, p), o); len(decisions) != 1 || decisions[0].Memory < 1<<20 {
		t.Errorf("the plan says %+v", decisions)
	}
}
