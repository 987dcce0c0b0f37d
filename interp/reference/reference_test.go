package reference

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

type sampleArgs struct {
	Root   part.Checkpoint   `arg:"root" doc:"Where it is."`
	Mode   string            `arg:"mode,optional" oneof:"max min" doc:"Which | is better."`
	Sizes  []int             `arg:"sizes,optional" doc:"Sizes."`
	Decay  float64           `arg:"decay,optional" doc:"Decay."`
	On     bool              `arg:"on,optional" doc:"On."`
	Rename map[string]string `arg:"rename,optional" doc:"Renames."`
	hidden int
}

func sampleCatalog() part.Catalog {
	defaults := sampleArgs{Mode: "max", Sizes: []int{1, 2}, Decay: 5e-4, Rename: map[string]string{"b": "c", "a": "b"}, hidden: 1}
	return part.Catalog{
		part.CallbackPart("Zeta", "Does it.", defaults, program.Required, program.Optional, func(a sampleArgs) (part.Callback, error) {
			if a.Mode == "min" {
				return nil, part.Bad("mode", "never")
			}
			return a, nil
		}),
		part.CallbackPart("Alpha", "Does less.", struct{}{}, program.NotTaken, program.NotTaken, func(struct{}) (part.Callback, error) { return 1, nil }),
		part.ConverterPart("Float2QAT", "Prepares.", struct{}{}, program.Float, program.QAT, func(struct{}) (part.Converter, error) { return nil, nil }),
	}
}

func TestReference(t *testing.T) {
	var b strings.Builder
	if err := Write(&b, sampleCatalog()); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "\n## ")
	want := `Callbacks

` + "`callback \"Type\" {}`" + ` inside a stage

### Alpha

Does less.

### Zeta

Does it.

Meta-arguments: ` + "`when` (required), `modules` (optional)" + `.

| argument | type | default | |
|---|---|---|---|
| ` + "`root`" + ` | checkpoint | required | Where it is. |
| ` + "`mode` | string | `\"max\"` | Which \\| is better. One of `\"max\"`, `\"min\"`" + `. |
| ` + "`sizes` | list(number) | `[1, 2]`" + ` | Sizes. |
| ` + "`decay` | number | `0.0005`" + ` | Decay. |
| ` + "`on` | bool | `false`" + ` | On. |
| ` + "`rename` | map(string) | `{\"a\" = \"b\", \"b\" = \"c\"}`" + ` | Renames. |

## Converters

` + "`converter \"Type\" {}` inside `model_convert_pipeline {}`" + `, in written order

### Float2QAT

Prepares.

Takes a model in form ` + "`float` and gives form `qat`" + `.
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNew(t *testing.T) {
	c := sampleCatalog()
	args := c[0].Args().(*sampleArgs)
	args.Sizes = nil // the defaults of the next call stay
	if again := c[0].Args().(*sampleArgs); len(again.Sizes) != 2 {
		t.Error("one call's arguments change another's")
	}
	if _, err := part.New[part.Callback](c, program.Call{Kind: program.CallbackKind, Type: "Zeta", Args: *args}); err != nil {
		t.Error(err)
	}
	args.Mode = "min"
	_, err := part.New[part.Callback](c, program.Call{Kind: program.CallbackKind, Type: "Zeta", Args: *args})
	if bad := (*program.ArgError)(nil); !errors.As(err, &bad) || bad.Attr != "mode" {
		t.Errorf("the error is %#v", err)
	}
	if _, err := part.New[part.Callback](c, program.Call{Kind: program.CallbackKind, Type: "Beta"}); err == nil {
		t.Error("an unknown part is made")
	}
	if _, err := part.New[part.Callback](c, program.Call{Kind: program.CallbackKind, Type: "Zeta", Args: 3}); err == nil {
		t.Error("arguments of another type are taken")
	}
}
