package convbn

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// TestTransposesThatNoBuilderMakes: a structure with another geometry than an op's arguments give is refused.
func TestTransposesThatNoBuilderMakes(t *testing.T) {
	const sound = `{"input":{"height":4,"width":5,"channels":4},"kernel_shape":[3,2],"strides":[2,3],"pads":[1,0,0,0],"dilations":[1,1],"group":2,"output_padding":[0,2]}`
	for _, c := range []struct {
		old, with string
		fits      bool
	}{
		{"", "", true},
		{`[0,2]`, `[0,3]`, false},                           // as much as the stride
		{`[0,2]`, `[0,-2]`, false},                          // negative
		{`,"output_padding":[0,2]`, ``, false},              // another size
		{`[1,0,0,0]`, `[3,0,0,0]`, false},                   // more than the kernel adds
		{`[1,0,0,0]`, `[1,0,0,1]`, false},                   // both behind and output padding
		{`"strides":[2,3]`, `"strides":[1000000,3]`, false}, // another size
		{`"strides":[2,3]`, `"strides":[1000000,1000000]`, false},
		{`"group":2`, `"group":3`, false},
	} {
		text := strings.Replace(sound, c.old, c.with, 1)
		n := &layer.Node{Kind: transposeKind, Shape: tensor.Shape{H: 8, W: 16, C: 6}}
		_, err := transposeKind.Restore(n, layer.Fields{"conv": json.RawMessage(text)})
		if (err == nil) != c.fits {
			t.Errorf("%s: %v", text, err)
		}
	}
	n := &layer.Node{Kind: convKind, Shape: tensor.Shape{H: 8, W: 16, C: 6}}
	if _, err := convKind.Restore(n, layer.Fields{"conv": json.RawMessage(sound)}); err == nil {
		t.Error("a convolution has output padding")
	}
}

// TestTransposedWeights: files hold the weight of a transposed convolution as [in][out/groups][height][width]; in memory it is
// [out][height][width][in/groups], turned.
func TestTransposedWeights(t *testing.T) {
	const in, out, kh, kw, groups = 4, 6, 3, 2, 2
	s := tensor.Shape{H: 2, W: 2, C: in}
	made, err := ConvTranspose{OutC: out, Kernel: [2]int{kh, kw}, Groups: groups}.Node([]layer.Source{{Shape: s, Origin: s}})
	if err != nil {
		t.Fatal(err)
	}
	made.Alloc()
	slot := made.Slots()[0]
	if want := []int{in, out / groups, kh, kw}; !slices.Equal(slot.Shape, want) {
		t.Fatalf("the shape is %v, want %v", slot.Shape, want)
	}
	file := make([]float32, slot.Len())
	for i := range file {
		file[i] = float32(i)
	}
	if !slot.Write(file) {
		t.Fatal("not written")
	}
	for c := range in {
		for o := range out / groups {
			for h := range kh {
				for w := range kw {
					row := c/(in/groups)*(out/groups) + o
					got := slot.Param.Data[((row*kh+kh-1-h)*kw+kw-1-w)*(in/groups)+c%(in/groups)]
					if want := float32(((c*(out/groups)+o)*kh+h)*kw + w); got != want {
						t.Fatalf("input channel %d, output channel %d, place (%d, %d): %v, want %v", c, row, h, w, got, want)
					}
				}
			}
		}
	}
	if !slices.Equal(slot.Read(true).([]float32), file) {
		t.Error("it is read otherwise than it was written")
	}
}
