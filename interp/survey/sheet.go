package survey

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"slices"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// Measures of a sheet in pixels.
const (
	columns  = 8
	smallest = 64  // of a picture's longer side
	largest  = 192 // the same
	gap      = 6
	text     = 15 // height of a line
)

// Sheet draws the samples with which a training begins, as PNG: what the network is fed in its first epoch, after the
// transforms, with class and number of each. The picture of a mask is beside that of its image.
func Sheet(f *feed.Feed, most int, seed uint64) ([]byte, error) {
	n := min(most, f.Samples.Len())
	l, err := f.Load(feed.Order{Seed: seed, Shuffle: true, Batch: n, PerEpoch: 1, To: 1}, 1)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	b, err := l.Next()
	if err != nil {
		return nil, err
	}
	in := f.Spec.Inputs[0]
	mask := slices.IndexFunc(f.Spec.Targets, func(t part.TargetSpec) bool { return t.Map() && !t.Numbers })
	tile := tileOf(in.Shape.H, in.Shape.W)
	cell := tile
	if mask >= 0 {
		cell.X += tile.X + 2
	}
	cell.X = max(cell.X, 80)
	rows := (n + columns - 1) / columns
	sheet := image.NewRGBA(image.Rect(0, 0, gap+columns*(cell.X+gap), gap+rows*(cell.Y+text+gap)))
	draw.Draw(sheet, sheet.Rect, image.White, image.Point{}, draw.Src)
	inputs, targets := b.Inputs()[0], b.Targets()
	size := in.Shape.WithN(1).Len()
	for i, index := range b.Index {
		at := image.Pt(gap+i%columns*(cell.X+gap), gap+i/columns*(cell.Y+text+gap))
		put(sheet, at, tile, pixels(in, inputs[i*size:][:size]))
		if mask >= 0 {
			t := f.Spec.Targets[mask]
			put(sheet, at.Add(image.Pt(tile.X+2, 0)), tile, coloured(t, targets[mask].Labels[i*t.Size():][:t.Size()]))
		}
		write(sheet, at.Add(image.Pt(0, cell.Y+11)), cell.X, caption(f.Spec.Targets, targets, i, index))
	}
	var out bytes.Buffer
	if err := png.Encode(&out, sheet); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// tileOf returns how large images are drawn: whole multiples of small ones, and large ones smaller.
func tileOf(h, w int) image.Point {
	switch long := max(h, w); {
	case long > largest:
		return image.Pt(max(w*largest/long, 1), max(h*largest/long, 1))
	case long < smallest:
		times := (smallest + long - 1) / long
		return image.Pt(w*times, h*times)
	}
	return image.Pt(w, h)
}

// pixels turns what the network gets back into an image. Numbers are spread from black to white.
func pixels(in part.InputSpec, x []float32) *picture.Map {
	c := in.Shape.C
	mean, std, _ := in.MeanStd()
	least, span := 0.0, 1.0
	if in.Numbers {
		low, high := slices.Min(x), slices.Max(x)
		least, span = float64(low), max(float64(high)-float64(low), 1e-30)
	}
	m := &picture.Map{H: in.Shape.H, W: in.Shape.W, C: 3}
	for p := 0; p < len(x); p += c {
		for k := range 3 {
			from := k
			if c < 3 {
				from = 0
			}
			v := float64(x[p+from])
			if in.Numbers {
				v = (v - least) / span
			} else {
				v = float64(v*std[from]) + mean[from]
			}
			m.Pix = append(m.Pix, uint8(math.Round(255*min(max(v, 0), 1))))
		}
	}
	return m
}

// coloured draws a mask: a colour for each class, white where there is none.
func coloured(t part.TargetSpec, labels []int32) *picture.Map {
	m := &picture.Map{H: t.Shape.H, W: t.Shape.W, C: 3}
	for _, label := range labels {
		c := color.RGBA{255, 255, 255, 255}
		if label >= 0 {
			c = classColor(int(label))
		}
		m.Pix = append(m.Pix, c.R, c.G, c.B)
	}
	return m
}

// classColor is the colour of a class: black for the first, then different ones, whose bits are those of the number.
func classColor(class int) (c color.RGBA) {
	c.A = 255
	for bit := 7; class > 0 && bit > 0; bit, class = bit-1, class>>3 {
		c.R |= uint8(class&1) << bit
		c.G |= uint8(class>>1&1) << bit
		c.B |= uint8(class>>2&1) << bit
	}
	return c
}

// put draws an image in another size.
func put(sheet *image.RGBA, at, size image.Point, m *picture.Map) {
	filter := picture.Bilinear
	if size.X >= m.W {
		filter = picture.Nearest
	}
	to := picture.Map{H: size.Y, W: size.X}
	var r picture.Resampler
	r.Resize(m, 0, 0, m.H, m.W, filter, &to)
	for y := range to.H {
		for x := range to.W {
			p := to.Pix[(y*to.W+x)*3:]
			sheet.SetRGBA(at.X+x, at.Y+y, color.RGBA{p[0], p[1], p[2], 255})
		}
	}
}

// caption is what is written below a sample: its classes, and its number in the data set.
func caption(specs []part.TargetSpec, targets []part.Target, i, index int) string {
	out := fmt.Sprint(index)
	for k := len(specs) - 1; k >= 0; k-- {
		t := specs[k]
		if t.Numbers || t.Size() > 1 {
			continue
		}
		label := int(targets[k].Labels[i])
		name := fmt.Sprint(label)
		if label >= 0 && label < len(t.Names) {
			name = t.Names[label]
		}
		out = name + "  " + out
	}
	return out
}

// write writes a line of at most width pixels.
func write(sheet *image.RGBA, at image.Point, width int, line string) {
	face := basicfont.Face7x13
	if most := width / face.Advance; len(line) > most {
		line = line[:most]
	}
	d := font.Drawer{Dst: sheet, Src: image.Black, Face: face, Dot: fixed.P(at.X, at.Y)}
	d.DrawString(line)
}
