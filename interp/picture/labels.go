package picture

import (
	"fmt"
	"image"
)

// Labels decodes a mask to the number of each pixel: the index of its colour in the palette, or its grey, row by row, appended
// to room. Only formats that keep numbers as they are have masks.
func (d *Decoder) Labels(data []byte, room []int32) (labels []int32, h, w int, err error) {
	f, err := formatOf(data)
	if err != nil {
		return room, 0, 0, err
	}
	if f.name != "PNG" && f.name != "BMP" && f.name != "GIF" {
		return room, 0, 0, fmt.Errorf("is a %s image, which does not keep numbers as they are: save masks as PNG", f.name)
	}
	img, w, h, err := d.decoded(f, data)
	if err != nil {
		return room, 0, 0, err
	}
	pix, stride, step, unit := []uint8(nil), 0, 1, 1
	switch m := img.(type) {
	case *image.Paletted:
		pix, stride = m.Pix, m.Stride
	case *image.Gray:
		pix, stride, unit = m.Pix, m.Stride, greyUnit(f, data)
	case *image.Gray16:
		pix, stride, step = m.Pix, m.Stride, 2
	default:
		return room, 0, 0, fmt.Errorf("is a coloured %s image: a mask has a number for each pixel, with a palette or in grey", f.name)
	}
	for y := range h {
		row := pix[y*stride:][:w*step]
		for x := 0; x < len(row); x += step {
			v := int32(row[x])
			if step == 2 {
				v = v<<8 | int32(row[x+1])
			}
			room = append(room, v/int32(unit))
		}
	}
	return room, h, w, nil
}

// greyUnit is what a decoder has multiplied the numbers of a grey image with that has fewer than eight bits.
func greyUnit(f format, data []byte) int {
	const depthAt = 24 // in a PNG file, whose first chunk is its header
	if f.name == "PNG" && len(data) > depthAt {
		switch data[depthAt] {
		case 1:
			return 255
		case 2:
			return 85
		case 4:
			return 17
		}
	}
	return 1
}
