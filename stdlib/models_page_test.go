package stdlib

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// listed is a row of docs/models.md: a model as it is published.
type listed struct {
	model, args                    string
	in                             tensor.Shape
	params, macs                   string // as the page has them
	publishedParams, publishedMACs string
	torch                          string // its name in torchvision, "" for none
	made                           part.Model
}

// listedModels reads the page.
func listedModels(t *testing.T) (rows []listed) {
	t.Helper()
	page, err := os.ReadFile("../docs/models.md")
	must(t, err)
	torch := regexp.MustCompile("^torchvision `(.*)`$")
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if len(cells) != 8 || cells[0] == "model" || strings.HasPrefix(cells[0], "-") {
			continue
		}
		r := listed{
			model: cells[0], args: strings.Trim(cells[1], "`–"), params: cells[3], macs: cells[4], publishedParams: cells[5], publishedMACs: cells[6],
		}
		if _, err := fmt.Sscanf(cells[2], "%d×%d×%d", &r.in.H, &r.in.W, &r.in.C); err != nil {
			t.Fatal(line, err)
		}
		if m := torch.FindStringSubmatch(cells[7]); m != nil {
			r.torch = m[1]
		}
		r.made = modelOf(t, r.model, r.args)
		rows = append(rows, r)
	}
	if len(rows) < 20 {
		t.Fatalf("the page has %d models", len(rows))
	}
	return rows
}

// modelOf makes a model of the catalogue with arguments as a pipeline writes them, separated by commas.
func modelOf(t *testing.T, name, text string) part.Model {
	t.Helper()
	i := slices.IndexFunc(Catalog(), func(p part.Part) bool { return p.Kind == program.ModelKind && p.Name == name })
	if i < 0 {
		t.Fatalf("there is no model %q", name)
	}
	args := Catalog()[i].Args()
	given := map[string]string{}
	for pair := range strings.SplitSeq(text, ", ") {
		key, value, _ := strings.Cut(pair, " = ")
		given[key] = value
	}
	for f, v := range program.Arguments(args) {
		value, ok := given[f.Name]
		if delete(given, f.Name); !ok {
			continue
		}
		var set any
		var err error
		switch v.Kind() {
		case reflect.String:
			set, err = strconv.Unquote(value)
		case reflect.Bool:
			set, err = strconv.ParseBool(value)
		case reflect.Float64:
			set, err = strconv.ParseFloat(value, 64)
		default:
			set, err = strconv.Atoi(value)
		}
		must(t, err)
		v.Set(reflect.ValueOf(set))
	}
	if delete(given, ""); len(given) > 0 {
		t.Fatalf("%s has no arguments %v", name, given)
	}
	m, err := part.New[part.Model](Catalog(), part.Call{Kind: program.ModelKind, Type: name, Args: reflect.ValueOf(args).Elem().Interface()})
	must(t, err)
	return m
}

// graph is its network.
func (r *listed) graph(t *testing.T, in tensor.Shape) *nn.Graph {
	t.Helper()
	g, err := r.made.Build([]tensor.Shape{in})
	must(t, err)
	return g
}

// TestModelsPage: the page has the parameters and MACs of every model, and they are the published ones, as far as those have digits; where they are
// not, a letter says why.
func TestModelsPage(t *testing.T) {
	for _, r := range listedModels(t) {
		g := r.graph(t, r.in)
		params := int64(0)
		for _, v := range g.Tensors() {
			if v.Trainable {
				params += size(v.Shape)
			}
		}
		for _, c := range []struct {
			what, page, published string
			is                    int64
		}{{"parameters", r.params, r.publishedParams, params}, {"MACs", r.macs, r.publishedMACs, g.MACs()}} {
			name := fmt.Sprintf("%s, %s: %s", r.model, r.args, c.what)
			if want := grouped(c.is); c.page != want {
				t.Errorf("%s: the page says %s, they are %s", name, c.page, want)
			}
			published, note, _ := strings.Cut(c.published, " (")
			if published != "–" && agree(t, published, c.is) == (note != "") {
				t.Errorf("%s: they are %d, and published are %s; note %q", name, c.is, published, note)
			}
		}
	}
}

// agree compares a number with a published one, which may be rounded: 78,666 or 0.301 G.
func agree(t *testing.T, published string, n int64) bool {
	t.Helper()
	digits, unit, rounded := strings.Cut(published, " ")
	v, err := strconv.ParseFloat(strings.ReplaceAll(digits, ",", ""), 64)
	must(t, err)
	if !rounded {
		return int64(v) == n
	}
	_, decimals, _ := strings.Cut(digits, ".")
	shift := math.Pow10(len(decimals))
	return math.Round(float64(n)/map[string]float64{"M": 1e6, "G": 1e9}[unit]*shift) == math.Round(v*shift)
}

// grouped writes a number with commas.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(shape []int) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	return n
}

// TestTorchNames: the table of names of every model that torchvision has is complete in both directions: renamed, our
// tensors are those of the state dict, with the same shapes, and in the table's order.
func TestTorchNames(t *testing.T) {
	files, err := filepath.Glob("testdata/torchvision/*.txt")
	must(t, err)
	seen := 0
	for _, r := range listedModels(t) {
		if r.torch == "" {
			continue
		}
		seen++
		t.Run(r.torch, func(t *testing.T) {
			data, err := os.ReadFile("testdata/torchvision/" + r.torch + ".txt")
			must(t, err)
			want := strings.Split(strings.TrimSpace(string(data)), "\n")
			shapes := map[string]string{}
			for _, v := range r.graph(t, r.in).Tensors() {
				shapes[v.Name] = strings.Trim(fmt.Sprint(v.Shape), "[]")
			}
			var got []string
			for _, n := range r.made.(part.TorchModel).TorchNames() {
				for _, tensor := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
					if shape, ok := shapes[n.Ours+tensor]; ok {
						got = append(got, n.Torch+tensor+" "+shape)
						delete(shapes, n.Ours+tensor)
					}
				}
			}
			for name := range shapes {
				t.Errorf("%s has no name in the table", name)
			}
			if !slices.Equal(got, want) {
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Fatalf("tensor %d is %s, torchvision's is %s", i, got[i], want[i])
					}
				}
				t.Errorf("%d tensors, torchvision has %d", len(got), len(want))
			}
		})
	}
	if seen != len(files) {
		t.Errorf("the page has %d models of torchvision, and there are %d files", seen, len(files))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
