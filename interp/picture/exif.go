package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// jpegExif finds the EXIF data of a JPEG file: the segment APP1 that begins with "Exif".
func jpegExif(data []byte) []byte {
	for data = data[2:]; len(data) >= 4 && data[0] == 0xff; {
		marker, n := data[1], int(data[2])<<8|int(data[3])
		switch {
		case marker == 0xff: // a byte of filling
			data = data[1:]
			continue
		case marker == 0xda || marker == 0xd9 || n < 2 || n > len(data)-2: // the image's data, or its end
			return nil
		}
		body := data[4 : 2+n]
		if rest, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return rest
		}
		data = data[2+n:]
	}
	return nil
}

// pngExif finds the chunk eXIf of a PNG file.
func pngExif(data []byte) []byte {
	for data = data[8:]; len(data) >= 12; {
		n := binary.BigEndian.Uint32(data)
		if uint64(n) > uint64(len(data)-12) {
			return nil
		}
		if string(data[4:8]) == "eXIf" {
			return data[8 : 8+n]
		}
		data = data[12+n:]
	}
	return nil
}

// webpChunks calls do for the chunks of a WebP file until it returns false.
func webpChunks(data []byte, do func(name string, body []byte) bool) {
	for data = data[12:]; len(data) >= 8; {
		n := min(uint64(binary.LittleEndian.Uint32(data[4:])), uint64(len(data)-8))
		if !do(string(data[:4]), data[8:8+n]) {
			return
		}
		data = data[min(8+n+n%2, uint64(len(data))):]
	}
}

func webpExif(data []byte) (found []byte) {
	webpChunks(data, func(name string, body []byte) bool {
		if name != "EXIF" {
			return true
		}
		found = bytes.TrimPrefix(body, []byte("Exif\x00\x00"))
		return false
	})
	return found
}

// webpSize returns the size of the picture itself, since the size of the whole image (VP8X) does not bind its decoder.
func webpSize(data []byte) (w, h int, err error) {
	err = errors.New("it has no picture")
	webpChunks(data, func(name string, b []byte) bool {
		switch {
		case name == "VP8 " && len(b) >= 10:
			w, h = int(b[6])|int(b[7]&0x3f)<<8, int(b[8])|int(b[9]&0x3f)<<8
		case name == "VP8L" && len(b) >= 5:
			bits := binary.LittleEndian.Uint32(b[1:])
			w, h = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
		case name == "ANMF":
			err = errors.New("it moves; save one of its pictures")
			return false
		default:
			return true
		}
		err = nil
		return false
	})
	return w, h, err
}

// orientation reads how an image has to be turned from EXIF data: 1 to 8, 1 for not at all.
func orientation(exif []byte) int {
	if len(exif) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(exif[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(exif[4:]))
	if at+2 > uint64(len(exif)) {
		return 1
	}
	list := exif[at+2:]
	for range order.Uint16(exif[at:]) {
		if len(list) < 12 {
			return 1
		}
		const tag, short = 0x112, 3
		if v := order.Uint16(list[8:]); order.Uint16(list) == tag && order.Uint16(list[2:]) == short && v >= 1 && v <= 8 {
			return int(v)
		}
		list = list[12:]
	}
	return 1
}

// turn turns an image upright. The codes are those of EXIF: 2 to 4 mirror or turn it by half, 5 to 8 exchange rows and
// columns, too.
func (d *Decoder) turn(m *Map, code int) {
	if code <= 1 {
		return
	}
	h, w, c := m.H, m.W, m.C
	d.turned = append(d.turned[:0], m.Pix...)
	if code >= 5 {
		m.H, m.W = w, h
	}
	down, across := code == 3 || code == 4 || code == 6 || code == 7, code == 2 || code == 3 || code == 7 || code == 8
	for y := range m.H {
		for x := range m.W {
			fy, fx := y, x
			if code >= 5 {
				fy, fx = x, y
			}
			if down {
				fy = h - 1 - fy
			}
			if across {
				fx = w - 1 - fx
			}
			copy(m.Pix[(y*m.W+x)*c:][:c], d.turned[(fy*w+fx)*c:][:c])
		}
	}
}
