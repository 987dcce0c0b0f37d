package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// policy has the import rules: a room, what it may import besides the standard library, and why. A pattern that ends in
// "/..." is a room and everything in it. The longest room that matches a package decides. A package without a rule
// fails, and so does an import that no pattern of its rule allows.
var policy = []struct {
	room  string
	allow string // space-separated patterns
	why   string
}{
	{"qpipe", "qpipe/interp/cli qpipe/stdlib", "main only connects the rooms"},

	{"qpipe/infer", "qpipe/interp/artifact qpipe/interp/checkpoint qpipe/interp/part qpipe/interp/prepare qpipe/onnx/importer qpipe/onnx/model qpipe/ops/engine qpipe/ops/kernel/sets qpipe/ops/nn qpipe/ops/tensor", "what other Go programs run trained models with: files and numbers, no pipeline, no run and no command line"},

	{"qpipe/tools/chaos", "qpipe/tools/chaos/...", "it tests the built program from outside, and shares no code with it"},
	{"qpipe/tools/chaos/program", "qpipe/tools/chaos/strike", "it starts the tested program, which may be struck"},
	{"qpipe/tools/chaos/draw", "qpipe/tools/chaos/forge", "random choices and changes"},
	{"qpipe/tools/chaos/...", "", "the tools of the campaigns: each knows only its own subject"},

	{"qpipe/internal/netdraw", "qpipe/internal/optest qpipe/ops/...", "random networks, for tests of whatever holds of all"},
	{"qpipe/internal/optest", "qpipe/ops/...", "the ops that tests try: only tests import it"},
	{"qpipe/internal/refvec", "qpipe/ops/tensor", "reference vectors on disk: only tests import it"},

	{"qpipe/lang/diag", "", "diagnostics know no other room"},
	{"qpipe/lang/program", "qpipe/lang/diag", "the contract of lang and interp is plain Go"},
	{"qpipe/lang/lint", "qpipe/lang/diag qpipe/lang/program", "the rules between blocks see a program, not its text"},
	{"qpipe/lang/files", "", "one opener for all files; it knows no other room"},
	{"qpipe/lang/vary", "", "changes texts for fuzz targets; only tests import it"},
	{"qpipe/lang/notation", "qpipe/lang/diag qpipe/lang/program github.com/alecthomas/participle/...", "only this room uses participle"},
	{"qpipe/lang/scope", "qpipe/lang/config qpipe/lang/diag qpipe/lang/functions qpipe/lang/program qpipe/lang/syntax github.com/hashicorp/hcl/... github.com/zclconf/go-cty/...", "names and values: it knows no part and no rule"},
	{"qpipe/lang/...", "qpipe/lang/... github.com/hashicorp/hcl/... github.com/zclconf/go-cty/... github.com/rogpeppe/go-internal/diff", "lang knows texts, no tensors and no parts; it asks about parts through program.Signatures"},

	{"qpipe/interp/disk", "qpipe/lang/files", "how files change, not what they contain"},
	{"qpipe/interp/number", "", "numbers in JSON, whatever they mean"},
	{"qpipe/interp/frame", "", "lines of logs with a number and a check, not their content"},
	{"qpipe/interp/event", "qpipe/interp/number", "what happened, whatever sends and receives it"},
	{"qpipe/interp/part", "qpipe/lang/program qpipe/lang/diag qpipe/ops/...", "the sockets: what a part sees of the interpreter"},
	{"qpipe/interp/reference", "qpipe/interp/part qpipe/lang/program", "what parts take, in words: it makes none"},
	{"qpipe/interp/picture", "golang.org/x/image/bmp golang.org/x/image/webp", "files and pixels: it knows no data set and no network"},
	{"qpipe/interp/written", "qpipe/interp/part qpipe/lang/program qpipe/ops/...", "layers become a network, whichever they are"},
	{"qpipe/interp/prepare", "qpipe/interp/part qpipe/interp/picture", "images become a network's input, whatever they are for"},
	{"qpipe/interp/feed", "qpipe/interp/part qpipe/interp/prepare qpipe/lang/program", "data, as batches"},
	{"qpipe/interp/statedict", "qpipe/ops/tensor", "files of PyTorch, whatever their tensors are for"},
	{"qpipe/interp/netfile", "qpipe/interp/checkpoint qpipe/interp/part qpipe/lang/diag qpipe/lang/files qpipe/onnx/importer qpipe/onnx/model qpipe/ops/...", "ONNX files as checkpoints: it knows no run, and those who load checkpoints know no ONNX"},
	{"qpipe/interp/checkpoint", "qpipe/interp/part qpipe/interp/event qpipe/interp/number qpipe/lang/diag qpipe/ops/...", "what a checkpoint contains, and whether it fits"},
	{"qpipe/interp/journal", "qpipe/interp/part qpipe/interp/runs qpipe/interp/event qpipe/interp/number qpipe/interp/artifact qpipe/lang/diag", "the logs of a run, not what is logged"},
	{"qpipe/interp/stage", "qpipe/interp/part qpipe/interp/feed qpipe/interp/checkpoint qpipe/interp/event qpipe/interp/number qpipe/lang/program qpipe/lang/diag qpipe/ops/...", "the loop: it knows no file and no other stage"},
	{"qpipe/interp/artifact", "qpipe/interp/... qpipe/lang/program qpipe/lang/diag qpipe/lang/files qpipe/ops/... github.com/nlpodyssey/safetensors/...", "the files that a run leaves"},
	{"qpipe/interp/place", "qpipe/interp/artifact qpipe/interp/part qpipe/interp/stage qpipe/lang/program qpipe/lang/diag qpipe/ops/nn", "where an error belongs in the text; it knows no run"},
	{"qpipe/interp/data", "qpipe/interp/part qpipe/interp/feed qpipe/interp/disk qpipe/interp/place qpipe/lang/program qpipe/lang/diag", "data sets and their files; it knows no stage and no run"},
	{"qpipe/interp/survey", "qpipe/interp/data qpipe/interp/disk qpipe/interp/feed qpipe/interp/number qpipe/interp/part qpipe/interp/picture qpipe/interp/place qpipe/lang/program qpipe/lang/diag qpipe/lang/files golang.org/x/image/font/... golang.org/x/image/math/fixed", "what is in data, and how it looks; it knows no network and no run"},
	{"qpipe/interp/eval", "qpipe/interp/artifact qpipe/interp/checkpoint qpipe/interp/data qpipe/interp/disk qpipe/interp/event qpipe/interp/feed qpipe/interp/part qpipe/interp/place qpipe/interp/stage qpipe/lang/program qpipe/lang/diag qpipe/lang/files qpipe/ops/...", "a finished model on data: it needs no plan and changes no run"},
	{"qpipe/interp/proof", "qpipe/interp/artifact qpipe/interp/checkpoint qpipe/interp/event qpipe/interp/feed qpipe/interp/place qpipe/interp/runs qpipe/interp/stage qpipe/lang/program qpipe/lang/diag qpipe/ops/...", "two models on the same images: it knows no plan and no folder"},
	{"qpipe/interp/console", "qpipe/interp/event qpipe/interp/number qpipe/lang/diag golang.org/x/term", "what is printed, not why"},
	{"qpipe/interp/memory", "qpipe/lang/files", "how much memory there is, not what it is for"},
	{"qpipe/interp/graph", "qpipe/interp/part qpipe/interp/stage qpipe/interp/checkpoint qpipe/lang/program qpipe/lang/diag qpipe/lang/files qpipe/ops/...", "the plan and its rules: they read what lowering has built, and no files"},
	{"qpipe/interp/lower", "qpipe/interp/graph qpipe/interp/netfile qpipe/interp/part qpipe/interp/stage qpipe/interp/checkpoint qpipe/interp/artifact qpipe/lang/program qpipe/lang/diag qpipe/ops/... qpipe/lang/files", "it makes the plan; whoever runs one needs no lowering"},
	{"qpipe/interp/bench", "qpipe/interp/... qpipe/lang/program qpipe/lang/diag qpipe/ops/... qpipe/lang/files github.com/spf13/pflag", "it measures what other rooms build"},
	{"qpipe/interp/draw", "", "boxes and edges, whatever they are"},
	{"qpipe/interp/view", "qpipe/interp/... qpipe/lang/program qpipe/lang/diag qpipe/ops/...", "results as text: it reads nothing itself"},
	{"qpipe/interp/manual", "qpipe/interp/... qpipe/lang/... qpipe/ops/...", "the pages are about the language, the parts, and the tables of types, targets and ops, which it tries"},
	{"qpipe/interp/predict", "qpipe/infer qpipe/interp/artifact qpipe/interp/command qpipe/interp/disk qpipe/interp/event qpipe/interp/number qpipe/interp/part qpipe/interp/picture qpipe/lang/diag qpipe/lang/files qpipe/ops/elementary qpipe/ops/tensor github.com/spf13/pflag", "what a model says of files: it runs models as any Go program can"},
	{"qpipe/interp/complete", "qpipe/lang/files qpipe/lang/syntax github.com/spf13/cobra/...", "what a shell offers: the names in a text, which may be unfinished"},
	{"qpipe/interp/command", "qpipe/interp/console qpipe/lang/check qpipe/lang/program github.com/spf13/cobra/... github.com/spf13/pflag", "command lines, whatever the verbs are"},
	{"qpipe/interp/export", "qpipe/interp/artifact qpipe/interp/checkpoint qpipe/interp/command qpipe/interp/disk qpipe/interp/part qpipe/interp/place qpipe/lang/diag qpipe/lang/program qpipe/ops/... github.com/spf13/pflag", "a finished model for other programs: it needs no plan and changes no run"},
	{"qpipe/interp/verify", "qpipe/interp/artifact qpipe/interp/checkpoint qpipe/interp/command qpipe/interp/data qpipe/interp/disk qpipe/interp/feed qpipe/interp/part qpipe/interp/place qpipe/interp/runs qpipe/lang/check qpipe/lang/diag qpipe/lang/files qpipe/lang/program qpipe/lang/syntax qpipe/onnx/... qpipe/ops/... github.com/spf13/pflag", "finished models against each other: it needs no plan and changes no run"},
	{"qpipe/interp/cli", "qpipe/interp/... qpipe/lang/... qpipe/ops/... github.com/spf13/cobra/... github.com/spf13/pflag", "the only room that reads the command line"},
	{"qpipe/interp/...", "qpipe/interp/... qpipe/lang/program qpipe/lang/diag qpipe/lang/files qpipe/ops/...", "interp acts: it never sees HCL, and parts come as a Catalog"},

	{"qpipe/ops/layer", "qpipe/ops/grid qpipe/ops/kernel qpipe/ops/quant qpipe/ops/tensor", "what an op is, whatever it does"},
	{"qpipe/ops/elementary", "", "functions of one number, the same on every processor"},
	{"qpipe/ops/kernel/formula", "", "functions as lists of steps, whatever computes them"},
	{"qpipe/ops/random", "", "the one generator"},
	{"qpipe/ops/op", "qpipe/ops/layer qpipe/ops/elementary qpipe/ops/grid qpipe/ops/kernel qpipe/ops/kernel/formula qpipe/ops/quant qpipe/ops/random qpipe/ops/tensor", "an op knows no other and no network"},
	{"qpipe/ops/arith", "qpipe/ops/layer qpipe/ops/grid qpipe/ops/kernel qpipe/ops/tensor", "values combined element by element, whatever they are"},
	{"qpipe/ops/move", "qpipe/ops/layer qpipe/ops/grid qpipe/ops/kernel qpipe/ops/tensor", "moves know where values go, not what they mean"},
	{"qpipe/ops/curve", "qpipe/ops/layer qpipe/ops/grid qpipe/ops/kernel qpipe/ops/kernel/formula qpipe/ops/quant qpipe/ops/tensor", "functions of one number, whatever other ops do"},
	{"qpipe/ops/norm", "qpipe/ops/layer qpipe/ops/grid qpipe/ops/kernel qpipe/ops/tensor", "statistics of one image; convbn has those of batches, which are trained and absorbed"},
	{"qpipe/ops/spread", "qpipe/ops/layer qpipe/ops/grid", "it moves pixels apart and does not know what convolves them"},
	{"qpipe/ops/convbn", "qpipe/ops/layer qpipe/ops/spread qpipe/ops/grid qpipe/ops/kernel qpipe/ops/kernel/ref qpipe/ops/quant qpipe/ops/tensor", "the heart knows one node at a time"},
	{"qpipe/ops/nn", "qpipe/ops/op qpipe/ops/arith qpipe/ops/move qpipe/ops/curve qpipe/ops/norm qpipe/ops/convbn qpipe/ops/layer qpipe/ops/grid qpipe/ops/kernel qpipe/ops/quant qpipe/ops/random qpipe/ops/tensor", "a network does not know how it is run"},
	{"qpipe/ops/module", "qpipe/ops/nn qpipe/ops/op qpipe/ops/arith qpipe/ops/convbn qpipe/ops/layer qpipe/ops/move qpipe/ops/kernel", "modules are written with a builder, whoever builds"},
	{"qpipe/ops/engine", "qpipe/ops/nn qpipe/ops/layer qpipe/ops/grid qpipe/ops/kernel qpipe/ops/tensor", "the engine knows no op: it walks the table's rows"},
	{"qpipe/ops/...", "qpipe/ops/... golang.org/x/sys/cpu", "ops is numbers: slices in, slices out"},

	{"qpipe/onnx/wire", "google.golang.org/protobuf/encoding/protowire", "ONNX's messages, whatever they mean; it is the only room of onnx that knows protobuf"},
	{"qpipe/onnx/naming", "qpipe/onnx/model", "names for nodes, whoever has them"},
	{"qpipe/onnx/recognize", "qpipe/onnx/model", "a graph with larger ops, whoever reads it"},
	{"qpipe/onnx/importer", "qpipe/lang/diag qpipe/onnx/model qpipe/onnx/eval qpipe/onnx/fold qpipe/onnx/naming qpipe/onnx/recognize qpipe/ops/...", "what becomes of a model as a network"},
	{"qpipe/onnx/exporter", "qpipe/onnx/model qpipe/ops/...", "a network as a model: what reads it again is not asked"},
	{"qpipe/onnx/runtime", "qpipe/onnx/model qpipe/onnx/value", "another program's values, whatever they are compared with"},
	{"qpipe/onnx/model", "qpipe/onnx/wire qpipe/lang/files", "a model as it is in a file: it knows no op and nothing of qpipe's networks"},
	{"qpipe/onnx/value", "qpipe/onnx/model", "tensors to compute with, whatever computes them"},
	{"qpipe/onnx/op", "qpipe/onnx/model qpipe/onnx/value", "what an op is, whatever it computes"},
	{"qpipe/onnx/op/quantized", "qpipe/onnx/model qpipe/onnx/value qpipe/onnx/op/... qpipe/onnx/op qpipe/ops/elementary", "integers as ONNX Runtime computes them, on the windows and products of floats"},
	{"qpipe/onnx/op/window", "qpipe/onnx/model qpipe/onnx/value qpipe/onnx/op qpipe/onnx/op/product", "convolutions are products of windows"},
	{"qpipe/onnx/op/...", "qpipe/onnx/model qpipe/onnx/value qpipe/onnx/op qpipe/ops/elementary", "a family of ops knows no other and no graph"},
	{"qpipe/onnx/fold", "qpipe/onnx/model qpipe/onnx/value qpipe/onnx/op qpipe/onnx/eval", "a model made simpler, whoever reads it then"},
	{"qpipe/onnx/eval", "qpipe/onnx/model qpipe/onnx/value qpipe/onnx/op qpipe/onnx/op/...", "a graph is walked by the rows of its ops; it is independent of qpipe's own kernels, so that it can check them"},

	{"qpipe/stdlib", "qpipe/stdlib/... qpipe/interp/part qpipe/ops/op qpipe/ops/arith qpipe/ops/curve qpipe/ops/kernel", "the table of parts; a layer without arguments is an op"},
	{"qpipe/stdlib/datasets/subset", "qpipe/interp/part", "splits and pieces are the same for every data set"},
	{"qpipe/stdlib/tables", "qpipe/interp/part qpipe/stdlib/datasets/subset qpipe/ops/layer qpipe/ops/tensor", "arrays and tables of numbers, not images in files"},
	{"qpipe/stdlib/datasets", "qpipe/interp/part qpipe/interp/picture qpipe/stdlib/datasets/subset qpipe/ops/... golang.org/x/image/...", "image files are decoded in one place, whatever data set they belong to"},
	{"qpipe/stdlib/scalars", "qpipe/interp/part google.golang.org/protobuf/encoding/protowire", "measured numbers as files of other tools: they see no model and no run"},
	{"qpipe/stdlib/exporters", "qpipe/interp/part qpipe/onnx/exporter qpipe/onnx/model qpipe/ops/...", "files for other programs: they see a model and its data, no run"},
	{"qpipe/stdlib/concat", "qpipe/interp/part", "samples of data sets, whichever they are"},
	{"qpipe/stdlib/shapes", "qpipe/interp/part qpipe/ops/tensor", "images that are drawn, whoever trains with them"},
	{"qpipe/stdlib/transforms", "qpipe/interp/part qpipe/interp/picture qpipe/ops/...", "images get another size in one place"},
	{"qpipe/stdlib/models", "qpipe/interp/part qpipe/interp/written qpipe/onnx/model qpipe/onnx/importer qpipe/ops/...", "networks in the pipeline and in ONNX files are models, too; each is built in one place"},
	{"qpipe/stdlib/...", "qpipe/interp/part qpipe/ops/... golang.org/x/image/...", "parts see the sockets and the numbers; shelves never import each other"},
}

// forbidden are standard packages that only some rooms may import; tools are separate programs.
var forbidden = map[string]string{
	"math/rand":    "randomness is part.Rand, seeded by the caller",
	"math/rand/v2": "randomness is part.Rand, seeded by the caller",
	"crypto/rand":  "randomness is part.Rand, seeded by the caller",
	"unsafe":       "only kernel sets written for an instruction set may need it",
}

func TestImports(t *testing.T) {
	for _, line := range goList(t) {
		pkg, imports, _ := strings.Cut(line, " ")
		room, ok := ruleOf(pkg)
		if !ok {
			t.Errorf("%s has no rule in deps_test.go: say what it may import, and why it is a room of its own", pkg)
			continue
		}
		for _, imp := range strings.Fields(imports) {
			if why, bad := forbidden[imp]; bad && !strings.HasPrefix(pkg, "qpipe/tools/") && !strings.HasPrefix(pkg, "qpipe/internal/") { // tests draw what they try
				t.Errorf("%s imports %s: %s", pkg, imp, why)
			}
			if standard(imp) || allowed(imp, policy[room].allow) {
				continue
			}
			t.Errorf("%s imports %s: %s", pkg, imp, policy[room].why)
		}
	}
}

// goList returns a line for each package: its path and its imports (tests not included).
func goList(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func ruleOf(pkg string) (int, bool) {
	best, length := -1, -1
	for i, p := range policy {
		if p.room == pkg {
			return i, true
		}
		if allowed(pkg, p.room) && len(p.room) > length {
			best, length = i, len(p.room)
		}
	}
	return best, best >= 0
}

func allowed(imp, patterns string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(p string) bool {
		room, deep := strings.CutSuffix(p, "/...")
		return imp == room || deep && strings.HasPrefix(imp, room+"/")
	})
}

func standard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".") && first != "qpipe"
}

// TestSource looks for what imports do not show: hidden state and hidden inputs.
func TestSource(t *testing.T) {
	for _, rule := range []struct {
		pattern, rooms, why string
	}{
		{`^func init\(\)`, "", "no init functions: everything a package needs comes as an argument"},
		{`^\s*_ "([^e]|e[^m]|em[^b])`, "", "no blank imports (embed does nothing when it is imported)"},
		{`\btime\.Now\(`, "interp/cli interp/console", "the clock comes as an argument"},
		{`\bos\.(Open|OpenFile|ReadFile|DirFS)\(`, "lang/files internal/refvec", "files are read through lang/files, which waits for no pipe and reads no device"},
		{`\bos\.(Args|Exit|Stdout|Stderr|Stdin)\b`, "interp/cli main.go", "streams and exit codes are the CLI's"},
	} {
		args := []string{"grep", "-nE", rule.pattern, "--", "*.go", ":!*_test.go", ":!tools", ":!bench", ":!ops/kernel/gen"} // gen is a program of its own
		for _, room := range strings.Fields(rule.rooms) {
			args = append(args, ":!"+room)
		}
		out, _ := exec.Command("git", args...).Output()
		if len(out) > 0 {
			t.Errorf("%s:\n%s", rule.why, out)
		}
	}
}
