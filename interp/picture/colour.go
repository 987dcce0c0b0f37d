package picture

import "math"

// Toner changes the colours of images in place, as Pillow's ImageEnhance and ImageOps do. A fourth channel, how opaque a
// pixel is, stays as it is. Its memory is used again.
type Toner struct {
	was   []uint8
	table [256]uint8
}

// tones returns the number of channels that are colours.
func (m *Map) tones() int { return min(m.C, 3) }

// blend returns from + factor·(to - from), cut off at both ends.
func blend(from, to uint8, factor float32) uint8 {
	v := float32(from) + float32(factor*float32(int(to)-int(from)))
	switch {
	case v <= 0:
		return 0
	case v >= 255:
		return 255
	}
	return uint8(v)
}

// change replaces each value of the colours by that of a function.
func (t *Toner) change(m *Map, to func(v uint8) uint8) {
	table := t.tableOf(to)
	n := m.tones()
	if n == m.C {
		for i, v := range m.Pix {
			m.Pix[i] = table[v]
		}
		return
	}
	for p := 0; p < len(m.Pix); p += m.C {
		for c := range n {
			m.Pix[p+c] = table[m.Pix[p+c]]
		}
	}
}

// tableOf makes a table of a function. It is asked in ascending order.
func (t *Toner) tableOf(f func(v uint8) uint8) *[256]uint8 {
	for i := range t.table {
		t.table[i] = f(uint8(i))
	}
	return &t.table
}

func same(v uint8) uint8 { return v }

// grey returns the grey of the pixel that begins at p.
func (m *Map) grey(p int) uint8 {
	if m.C < 3 {
		return m.Pix[p]
	}
	return Luma(m.Pix[p], m.Pix[p+1], m.Pix[p+2])
}

// Brightness multiplies all colours: 0 is black, 1 the image.
func (t *Toner) Brightness(m *Map, factor float32) {
	t.change(m, func(v uint8) uint8 { return blend(0, v, factor) })
}

// Contrast moves all colours away from the image's mean grey: 0 is that grey, 1 the image.
func (t *Toner) Contrast(m *Map, factor float32) {
	sum := 0
	for p := 0; p < len(m.Pix); p += m.C {
		sum += int(m.grey(p))
	}
	n := max(len(m.Pix)/m.C, 1)
	mean := uint8((2*sum + n) / (2 * n))
	t.change(m, func(v uint8) uint8 { return blend(mean, v, factor) })
}

// Saturation moves each pixel away from its grey: 0 is a grey image, 1 the image.
func (t *Toner) Saturation(m *Map, factor float32) {
	if m.C < 3 {
		return
	}
	for p := 0; p < len(m.Pix); p += m.C {
		grey := m.grey(p)
		for c := range 3 {
			m.Pix[p+c] = blend(grey, m.Pix[p+c], factor)
		}
	}
}

// Sharpness moves each pixel away from what its neighbours are: 0 is a smooth image, 1 the image. The pixels at the edges
// stay.
func (t *Toner) Sharpness(m *Map, factor float32) {
	t.was = append(t.was[:0], m.Pix...)
	line, tones := m.W*m.C, m.tones()
	for y := 1; y < m.H-1; y++ {
		for x := 1; x < m.W-1; x++ {
			for c := range tones {
				i := y*line + x*m.C + c
				sum := 4 * int(t.was[i])
				for _, row := range [3]int{i - line, i, i + line} {
					sum += int(t.was[row-m.C]) + int(t.was[row]) + int(t.was[row+m.C])
				}
				m.Pix[i] = blend(uint8((2*sum+13)/26), t.was[i], factor)
			}
		}
	}
}

// Posterize keeps the upper bits of all colours.
func (t *Toner) Posterize(m *Map, bits int) {
	mask := ^uint8(0) << (8 - min(max(bits, 0), 8))
	t.change(m, func(v uint8) uint8 { return v & mask })
}

// Solarize turns colours from threshold on into their opposite.
func (t *Toner) Solarize(m *Map, threshold float64) {
	t.change(m, func(v uint8) uint8 {
		if float64(v) < threshold {
			return v
		}
		return 255 - v
	})
}

// each applies a table to each channel, made from how often its values occur.
func (t *Toner) each(m *Map, table func(t *Toner, count *[256]int) *[256]uint8) {
	for c := range m.tones() {
		var count [256]int
		for p := c; p < len(m.Pix); p += m.C {
			count[m.Pix[p]]++
		}
		to := table(t, &count)
		for p := c; p < len(m.Pix); p += m.C {
			m.Pix[p] = to[m.Pix[p]]
		}
	}
}

// AutoContrast stretches each channel, so that its darkest value becomes 0 and its brightest 255.
func (t *Toner) AutoContrast(m *Map) { t.each(m, stretched) }

func stretched(t *Toner, count *[256]int) *[256]uint8 {
	low, high := 0, 255
	for low < 255 && count[low] == 0 {
		low++
	}
	for high > 0 && count[high] == 0 {
		high--
	}
	if high <= low {
		return t.tableOf(same)
	}
	scale := 255 / float64(high-low)
	offset := float64(float64(-low) * scale)
	return t.tableOf(func(v uint8) uint8 { return uint8(min(max(float64(float64(v)*scale)+offset, 0), 255)) })
}

// Equalize spreads the values of each channel, so that about as many pixels have each.
func (t *Toner) Equalize(m *Map) { t.each(m, equalized) }

func equalized(t *Toner, count *[256]int) *[256]uint8 {
	sum, last, kinds := 0, 0, 0
	for _, n := range count {
		if n > 0 {
			sum, last, kinds = sum+n, n, kinds+1
		}
	}
	step := (sum - last) / 255
	if kinds <= 1 || step == 0 {
		return t.tableOf(same)
	}
	below := step / 2
	return t.tableOf(func(v uint8) uint8 {
		at := min(below/step, 255)
		below += count[v]
		return uint8(at)
	})
}

// Hue turns all colours around the circle of hues, by so many of 255 steps.
func (t *Toner) Hue(m *Map, steps int) {
	if m.C < 3 {
		return
	}
	for p := 0; p < len(m.Pix); p += m.C {
		h, s, v := toHSV(m.Pix[p], m.Pix[p+1], m.Pix[p+2])
		m.Pix[p], m.Pix[p+1], m.Pix[p+2] = fromHSV(h+uint8(steps), s, v)
	}
}

// toHSV returns hue, saturation and value of a colour in 255 steps each.
func toHSV(r, g, b uint8) (h, s, v uint8) {
	most, least := max(r, g, b), min(r, g, b)
	if most == least {
		return 0, 0, most
	}
	span := float32(most - least)
	red, green, blue := float32(most-r)/span, float32(most-g)/span, float32(most-b)/span
	var hue float32
	switch most {
	case r:
		hue = blue - green
	case g:
		hue = float32(float64(2+red) - float64(blue))
	default:
		hue = float32(float64(4+green) - float64(red))
	}
	turn := float32(math.Mod(float64(hue)/6+1, 1))
	return clamp(int32(float64(turn) * 255)), clamp(int32(float64(span/float32(most)) * 255)), most
}

// fromHSV is its inverse.
func fromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	hue, part := float32(float64(h)*6/255), float32(float64(s)/255)
	sector := math.Floor(float64(hue))
	f := float32(float64(hue) - sector)
	of := func(x float64) uint8 { return clamp(int32(math.Round(float64(v) * x))) }
	p, q, t := of(1-float64(part)), of(1-float64(part*f)), of(1-float64(float64(part)*(1-float64(f))))
	switch int(sector) % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}
