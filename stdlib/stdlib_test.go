package stdlib

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
)

// required holds a value for every required argument, so that each part can be made.
var required = map[string]any{
	"MNIST.root":                     "x",
	"CIFAR10.root":                   "x",
	"ResNet.depth":                   8,
	"RandomCrop.size":                28,
	"Normalize.mean":                 []float64{0.5},
	"Normalize.std":                  []float64{0.5},
	"SGD.lr":                         0.1,
	"StepDecayLrUpdater.lr_decay_id": []int{1},
	"fixed_scale.scale":              0.01,
	"LoadCheckpoint.checkpoint_path": part.Checkpoint{Path: "x"},
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
			for i := range args.NumField() {
				checkArg(t, p.Name, args.Type().Field(i), args.Field(i))
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
func checkArg(t *testing.T, of string, f reflect.StructField, v reflect.Value) {
	name, optional, _ := strings.Cut(f.Tag.Get("arg"), ",")
	if name == "" || name != strings.ToLower(name) || (optional != "" && optional != "optional") {
		t.Errorf("%s has the tag arg:%q", f.Name, f.Tag.Get("arg"))
	}
	if doc := f.Tag.Get("doc"); !strings.HasSuffix(doc, ".") {
		t.Errorf("%s is documented with %q", name, doc)
	}
	switch v.Interface().(type) {
	case bool, int, int64, float64, string, []int, []float64, []string, map[string]string, part.Checkpoint:
	default:
		t.Errorf("%s has the type %s", name, f.Type)
	}
	if optional == "" {
		fill, ok := required[of+"."+name]
		if !ok {
			t.Fatalf("the test has no value for the required argument %s", name)
		}
		v.Set(reflect.ValueOf(fill))
	}
	if one := f.Tag.Get("oneof"); one != "" && optional != "" && !slices.Contains(strings.Fields(one), v.String()) {
		t.Errorf("%s is %q by default, which is none of %s", name, v.String(), one)
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
