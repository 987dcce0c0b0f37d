package stdlib

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/stdlib/datasets"
)

// required holds a value for every required argument, so that each part can be made.
var required = map[string]any{
	"MNIST.root":                      "x",
	"Concat.datasets":                 []part.Source{{Name: "x", Set: &program.Dataset{Call: program.Call{Kind: program.DatasetKind, Type: "Glyphs", Args: datasets.GlyphsDefaults()}}}},
	"CIFAR10.root":                    "x",
	"ONNX.path":                       "x.onnx",
	"ResNet.depth":                    8,
	"DenseNet.depth":                  40,
	"VGG.depth":                       11,
	"*.root":                          "x",
	"ImageMask.num_classes":           2,
	"*.shards":                        []string{"x.tar"},
	"*.file":                          "x",
	"*.shape":                         []int{1, 1, 4},
	"*.size":                          []int{28},
	"Normalize.mean":                  []float64{0.5},
	"Normalize.std":                   []float64{0.5},
	"SGD.lr":                          0.1,
	"StepDecayLrUpdater.lr_decay_id":  []int{1},
	"fixed_scale.scale":               0.01,
	"LoadCheckpoint.checkpoint_path":  part.Checkpoint{Path: "x"},
	"*.out_channels":                  4,
	"*.mid_channels":                  4,
	"BasicVarGBlock.mid_channels":     8,
	"*.dw_channels":                   4,
	"*.pw_channels":                   4,
	"*.squeeze_channels":              4,
	"*.growth_rate":                   4,
	"*.num_layers":                    2,
	"*.expand1x1_channels":            4,
	"*.expand3x3_channels":            4,
	"*.out_features":                  4,
	"*.kernel_size":                   []int{3},
	"Clip.min":                        -1.0,
	"Clip.max":                        1.0,
	"Power.exponent":                  2.0,
	"Slice.end":                       2,
	"Pad.padding":                     []int{1},
	"Reshape.height":                  2,
	"Reshape.width":                   2,
	"Reshape.channels":                2,
	"ChannelShuffle.groups":           2,
	"PixelShuffle.upscale_factor":     2,
	"PixelUnshuffle.downscale_factor": 2,
	"Conv1d.kernel_size":              3,
	"Permute.dims":                    []string{"channels", "height", "width"},
	"GroupNorm.num_groups":            2,
	"*.output_size":                   []int{2},
	"*.axes":                          []string{"height", "width"},
}

// TestRows holds every row to what the language expects of it: documented
// arguments of known types, defaults that are allowed, a constructor that works.
func TestRows(t *testing.T) {
	for _, p := range Catalog() {
		t.Run(string(p.Kind)+" "+p.Name, func(t *testing.T) {
			if p.Doc == "" || !strings.HasSuffix(p.Doc, ".") {
				t.Errorf("its sentence is %q", p.Doc)
			}
			args := reflect.ValueOf(p.Args()).Elem()
			for f, v := range program.Arguments(args.Addr().Interface()) {
				checkArg(t, p.Name, f, v)
			}
			if v, ok := args.Interface().(interface{ Validate() error }); ok {
				if err := v.Validate(); err != nil {
					t.Errorf("its defaults are refused: %v", err)
				}
			}
			if made, err := build(p, args.Interface()); err != nil || made == nil {
				t.Errorf("it cannot be made: %v", err)
			}
		})
	}
}

// checkArg checks an argument's tags, and fills it if it is required.
func checkArg(t *testing.T, of string, f program.Field, v reflect.Value) {
	if f.Network {
		return // its blocks are
	}
	if f.Name == "" || f.Name != strings.ToLower(f.Name) {
		t.Errorf("an argument is called %q", f.Name)
	}
	if !strings.HasSuffix(f.Doc, ".") {
		t.Errorf("%s is documented with %q", f.Name, f.Doc)
	}
	switch v.Interface().(type) {
	case bool, int, int64, float64, string, []int, []float64, []string, map[string]string, part.Checkpoint, []part.Source:
	default:
		t.Errorf("%s has the type %s", f.Name, f.Type)
	}
	if !f.Optional {
		fill, ok := required[of+"."+f.Name]
		if !ok {
			fill, ok = required["*."+f.Name]
		}
		if !ok {
			t.Fatalf("the test has no value for the required argument %s", f.Name)
		}
		v.Set(reflect.ValueOf(fill))
	}
	if f.Optional && len(f.OneOf) > 0 && !slices.Contains(f.OneOf, v.String()) {
		t.Errorf("%s is %q by default, which is none of %s", f.Name, v.String(), f.OneOf)
	}
}

// build makes the part through the catalogue, as the interpreter does.
func build(p part.Part, args any) (any, error) {
	call := part.Call{Kind: p.Kind, Type: p.Name, Args: args}
	return part.New[any](Catalog(), call)
}

func TestNamesAreUnique(t *testing.T) {
	rows := Catalog()
	slices.SortFunc(rows, func(a, b part.Part) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	for i := 1; i < len(rows); i++ {
		if rows[i].Kind == rows[i-1].Kind && rows[i].Name == rows[i-1].Name {
			t.Errorf("%s %q stands there twice", rows[i].Kind, rows[i].Name)
		}
	}
}

// TestCatalogIsTheCallers holds that a caller's rows, and what it does with the
// arguments it is handed, reach no other caller.
func TestCatalogIsTheCallers(t *testing.T) {
	a := Catalog()
	a[0].Name = "changed"
	if Catalog()[0].Name == "changed" {
		t.Error("two catalogues share their rows")
	}
	for _, p := range Catalog() {
		args := reflect.ValueOf(p.Args()).Elem()
		want := reflect.ValueOf(args.Interface())
		args.SetZero()
		if got := reflect.ValueOf(p.Args()).Elem(); !reflect.DeepEqual(got.Interface(), want.Interface()) {
			t.Errorf("%s: the defaults have changed", p.Name)
		}
	}
}
