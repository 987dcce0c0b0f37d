package predict

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"path"

	"qpipe/infer"
	"qpipe/interp/disk"
)

// mostLabels is how many labels a PNG file with a palette can have.
const mostLabels = 256

// palette has the colours of Pascal VOC's masks: the bits of a label in turn are the upper bits of red, green and blue.
// http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html (VOClabelcolormap)
func palette(labels int) color.Palette {
	p := make(color.Palette, labels)
	for label := range p {
		var c [3]uint8
		for bit, rest := 7, label; rest > 0; bit, rest = bit-1, rest>>3 {
			for k := range c {
				c[k] |= uint8(rest>>k&1) << bit
			}
		}
		p[label] = color.RGBA{c[0], c[1], c[2], 255}
	}
	return p
}

// drawn is a mask as a PNG file with a palette, whose indices are the labels.
func drawn(mask []uint8, out infer.Output) ([]byte, error) {
	img := &image.Paletted{Pix: mask, Stride: out.Width, Rect: image.Rect(0, 0, out.Width, out.Height), Palette: palette(out.Channels)}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// write writes a mask below the folder of masks.
func write(d *disk.Disk, name string, mask []uint8, out infer.Output) error {
	data, err := drawn(mask, out)
	if err != nil {
		return err
	}
	if err := d.MkdirAll(path.Dir(name)); err != nil {
		return err
	}
	return d.Write(name, data)
}
