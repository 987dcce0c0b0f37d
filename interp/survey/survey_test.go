package survey

import (
	"bytes"
	"image/png"
	"math"
	"slices"
	"testing"

	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// scenes are images of one value for each channel, with a class and a mask of which a pixel is ignored.
type scenes struct{}

func (scenes) Len() int { return 50 }

func (scenes) Sample(i int, s *part.Sample) error {
	m, mask := &s.Images[0], &s.Targets[1]
	*m = part.Image{H: 4, W: 6, C: 3, Pix: m.Pix[:0]}
	mask.H, mask.W, mask.Labels = 4, 6, mask.Labels[:0]
	for p := range 24 {
		m.Pix = append(m.Pix, uint8(i), uint8(100+i%2), uint8(p))
		mask.Labels = append(mask.Labels, int32(p%3)-1)
	}
	s.Targets[0].Label(i % 5)
	return nil
}

func theFeed() *feed.Feed {
	return &feed.Feed{Samples: scenes{}, Skipped: []string{"x.png is empty"}, Spec: part.Spec{
		Inputs: []part.InputSpec{{Shape: tensor.Shape{H: 4, W: 6, C: 3}, Mean: []float32{0.5, 0.25, 0.125}, Std: []float32{0.25, 0.5, 2}}},
		Targets: []part.TargetSpec{
			{Name: "class", Classes: 5, Names: []string{"a", "b", "c", "d", "e"}},
			{Name: "mask", Classes: 2, Shape: tensor.Shape{H: 4, W: 6, C: 1}, Ignores: true},
		},
		Len: 50,
	}}
}

// TestSurvey: mean, deviation and counts are those of the samples, however they are normalized and read.
func TestSurvey(t *testing.T) {
	for _, most := range []int{0, 33, 50, 99} {
		n := 50
		if most > 0 {
			n = min(most, 50)
		}
		for _, readers := range []int{1, 3} {
			s, err := Of(theFeed(), most, 1, readers)
			if err != nil {
				t.Fatal(err)
			}
			var values [3][]float64
			count := make([]int, 5)
			x := part.NewSample(theFeed().Spec)
			for i := range n {
				if err := (scenes{}).Sample(i, x); err != nil {
					t.Fatal(err)
				}
				for p, v := range x.Images[0].Pix {
					values[p%3] = append(values[p%3], float64(v)/255)
				}
				count[i%5]++
			}
			for c, v := range values {
				mean, two := 0.0, 0.0
				for _, x := range v {
					mean += x / float64(len(v))
				}
				for _, x := range v {
					two += (x - mean) * (x - mean) / float64(len(v))
				}
				if m, d := float64(s.Inputs[0].Mean[c]), float64(s.Inputs[0].Std[c]); math.Abs(m-mean) > 1e-6 || math.Abs(d-math.Sqrt(two)) > 1e-6 {
					t.Errorf("channel %d: %v and %v, want %v and %v", c, m, d, mean, math.Sqrt(two))
				}
			}
			mask := s.Targets[1]
			if s.Samples != 50 || s.Read != n || !slices.Equal(s.Targets[0].Count, count) || !slices.Equal(mask.Count, []int{8 * n, 8 * n}) || mask.Ignored != 8*n || len(s.Skipped) != 1 {
				t.Errorf("%+v", s)
			}
		}
	}
}

// TestSheet: the sheet has the first samples of a training, each as the network gets it, with its mask beside it.
func TestSheet(t *testing.T) {
	f := theFeed()
	data, err := Sheet(f, 20, 7)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.Load(feed.Order{Seed: 7, Shuffle: true, Batch: 20, PerEpoch: 1, To: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := l.Next()
	if err != nil {
		t.Fatal(err)
	}
	tile := tileOf(4, 6) // 66×44: 11 times as large
	if tile.X != 66 || tile.Y != 44 {
		t.Fatalf("a tile is %v", tile)
	}
	for i, index := range b.Index {
		x, y := gap+i%columns*(2*tile.X+2+gap), gap+i/columns*(tile.Y+text+gap)
		for p := range 24 {
			r, g, blue, _ := img.At(x+p%6*11+5, y+p/6*11+5).RGBA()
			if r>>8 != uint32(index) || g>>8 != uint32(100+index%2) || blue>>8 != uint32(p) {
				t.Fatalf("pixel %d of image %d is %d, %d, %d", p, index, r>>8, g>>8, blue>>8)
			}
			r, _, _, _ = img.At(x+tile.X+2+p%6*11+5, y+p/6*11+5).RGBA()
			if want := []uint32{255, 0, 128}[p%3]; r>>8 != want {
				t.Fatalf("pixel %d of mask %d is %d, want %d", p, index, r>>8, want)
			}
		}
	}
}
