package transforms

import (
	"bytes"
	"slices"
	"testing"

	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// TestColorJitter: what it makes of an image is one of the orders of its changes, all of which come, with factors from the whole
// of their ranges; without ranges nothing changes.
func TestColorJitter(t *testing.T) {
	src := pattern(6, 7, 3)
	same := made[part.Transform](t)(NewColorJitter(ColorJitterArgs{Brightness: []float64{0}, Hue: []float64{0, 0}}))
	img := src
	img.Pix = slices.Clone(src.Pix)
	if got := applied(same, img, part.NewRand(1)); !bytes.Equal(got.Pix, src.Pix) {
		t.Error("nothing should change")
	}
	fixed := func(v float64) []float64 { return []float64{v, v} }
	j := made[part.Transform](t)(NewColorJitter(ColorJitterArgs{Brightness: fixed(1.4), Contrast: fixed(0.6), Saturation: fixed(1.8), Hue: fixed(0.2)}))
	var tone picture.Toner
	changes := []func(m *picture.Map){
		func(m *picture.Map) { tone.Brightness(m, 1.4) }, func(m *picture.Map) { tone.Contrast(m, 0.6) },
		func(m *picture.Map) { tone.Saturation(m, 1.8) }, func(m *picture.Map) { tone.Hue(m, 51) },
	}
	results := map[string]int{}
	for p := range 256 { // all orders, written with four digits of base 4
		order := []int{p % 4, p / 4 % 4, p / 16 % 4, p / 64}
		if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, []int{0, 1, 2, 3}) {
			continue
		}
		m := picture.Map{H: 6, W: 7, C: 3, Pix: slices.Clone(src.Pix)}
		for _, k := range order {
			changes[k](&m)
		}
		results[string(m.Pix)] = 0
	}
	for i := range 500 {
		img.Pix = append(img.Pix[:0], src.Pix...)
		got := applied(j, img, part.NewRand(uint64(i)))
		if _, known := results[string(got.Pix)]; !known {
			t.Fatal("it is none of the orders")
		}
		results[string(got.Pix)]++
	}
	for _, n := range results {
		if n == 0 {
			t.Fatal("an order never comes")
		}
	}
	bright := made[part.Transform](t)(NewColorJitter(ColorJitterArgs{Brightness: []float64{0.5}})).(colorJitter)
	least, most := 9.0, 0.0
	for i := range 1000 {
		v := between(bright.ranges[0][0], bright.ranges[0][1], part.NewRand(uint64(i)))
		least, most = min(least, v), max(most, v)
	}
	if least < 0.5 || least > 0.52 || most > 1.5 || most < 1.48 {
		t.Errorf("factors from %v to %v", least, most)
	}
}

// TestCutout: the pixels of a square around each pixel get the value, the others stay; with p = 0 all do.
func TestCutout(t *testing.T) {
	src := pattern(5, 6, 2)
	c := made[part.Transform](t)(NewCutout(CutoutArgs{Size: []int{3, 2}, P: 1, Fill: 7}))
	none := made[part.Transform](t)(NewCutout(CutoutArgs{Size: []int{3, 2}, Fill: 7}))
	seen := map[[2]int]bool{}
	for i := range 600 {
		img := src
		img.Pix = slices.Clone(src.Pix)
		if got := applied(none, img, part.NewRand(uint64(i))); !bytes.Equal(got.Pix, src.Pix) {
			t.Fatal("p = 0")
		}
		got := applied(c, img, part.NewRand(uint64(i)))
		found := false
		for y := range 5 {
			for x := range 6 {
				want := slices.Clone(src.Pix)
				for py := max(y-1, 0); py <= min(y+1, 4); py++ {
					for px := max(x-1, 0); px <= x; px++ {
						copy(want[(py*6+px)*2:], []byte{7, 7})
					}
				}
				if bytes.Equal(got.Pix, want) {
					found, seen[[2]int{y, x}] = true, true
				}
			}
		}
		if !found {
			t.Fatalf("no square: %v", got.Pix)
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d of 30 places came", len(seen))
	}
}

// TestRandAugment: all fourteen changes come, with both signs; masks keep to their pixels where colours do not change; it
// allocates nothing once there is room.
func TestRandAugment(t *testing.T) {
	one := made[part.Transform](t)(NewRandAugment(RandAugmentArgs{NumOps: 1, Magnitude: 20, Bins: 31}))
	in := mapped(20, 24)
	out, err := part.Transformed(in, one)
	if err != nil || !out.Targets[0].Ignores {
		t.Fatalf("%v, %v", out, err)
	}
	s, results := part.NewSample(in), map[string]bool{}
	for i := range 2000 {
		labelled(s, 20, 24)
		one.Apply(s, part.NewRand(uint64(i)))
		if err := out.Check(s); err != nil {
			t.Fatal(err)
		}
		results[string(s.Images[0].Pix)] = true
		moved := slices.Contains(s.Targets[0].Labels, part.Ignored)
		for k, label := range s.Targets[0].Labels {
			if v := int32(s.Images[0].Pix[3*k]); moved && v != max(label, 0) {
				t.Fatalf("the pixel %d has the label %d", v, label)
			}
		}
	}
	// nothing, five moves and four factors of both signs, and two to four others; saturation changes no grey image
	if len(results) < 21 || len(results) > 23 {
		t.Errorf("%d different results", len(results))
	}
	r := part.NewRand(1)
	two := made[part.Transform](t)(NewRandAugment(RandAugmentDefaults()))
	for range 50 {
		labelled(s, 20, 24)
		two.Apply(s, r)
	}
	if n := testing.AllocsPerRun(50, func() { labelled(s, 20, 24); two.Apply(s, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
