package exec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/lower"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestModelOutOfFiles: a model that brings weights begins with them. If the content of its files changes, its stages run again; another
// place changes nothing. Missing or unsuitable files are errors at the argument; images that are normalized differently are a warning.
func TestModelOutOfFiles(t *testing.T) {
	p, x := parttest.Flow()
	p.Stages, p.Dir = p.Stages[:1], t.TempDir()
	p.Stages[0].Trainer.Optimizer.Args = parttest.SGDArgs{LR: 1e-12}
	stored := func(root string) {
		args := parttest.StoredArgs{TinyArgs: parttest.TinyArgs{Classes: 3, Width: 4}, Root: root}
		p.Models[0] = &program.Model{Name: "net", Call: x.Call(program.ModelKind, "Stored", "model.net", args, "root")}
		p.Stages[0].Model = p.Models[0]
	}
	put := func(dir, bias string) {
		must(t, os.MkdirAll(filepath.Join(p.Dir, dir), 0o755))
		must(t, os.WriteFile(filepath.Join(p.Dir, dir, "fc.bias"), []byte(bias), 0o600))
	}
	found := func() diag.List { _, list := lower.Lower(p, parttest.Catalog()); return list }
	o := world(filepath.Join(t.TempDir(), "run"))

	stored("here")
	if list := found(); !list.HasErrors() || list[0].Subject != p.Models[0].Origin.At("root") || !strings.Contains(list[0].Summary, "fc.bias") {
		t.Errorf("no file: %v", list)
	}
	put("here", "\x07\x08")
	if list := found(); !list.HasErrors() || !strings.Contains(list[0].Summary, `"head.fc.bias" have the shape [2], but the network needs [3]`) {
		t.Errorf("two weights of three: %v", list)
	}
	put("here", "\x07\x08\x09")
	if got := states(ran(t, p, o)); got != "float: ran (first run)" {
		t.Errorf("first: %s", got)
	}
	snap, err := artifact.Read(filepath.Join(o.Out, "float", "last.safetensors"))
	must(t, err)
	for _, w := range snap.Model {
		if b, ok := w.Data.([]float32); ok && w.Name == "head.fc.bias" && (b[0] != 7 || b[1] != 8 || b[2] != 9) {
			t.Errorf("the weights that the model brings have become %v", b)
		}
	}
	put("there", "\x07\x08\x09")
	stored("there")
	if got := states(ran(t, p, o)); got != "float: up to date (nothing has changed)" {
		t.Errorf("moved: %s", got)
	}
	put("there", "\x07\x08\x0a")
	if got := states(ran(t, p, o)); got != "float: ran (the files of model changed)" {
		t.Errorf("changed: %s", got)
	}
	put("there", "\x07\x08\x0a\x02")
	if list := found(); len(list) != 1 || list[0].Code != diag.OtherValues || list[0].Severity != diag.Warning {
		t.Errorf("trained on images of another mean: %v", list)
	}
}
