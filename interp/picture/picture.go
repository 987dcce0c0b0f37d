// Package picture turns image files into pixels, and pixels into those of an image of another size. It knows no data set
// and no network. What it computes is the same on every machine, and as Pillow computes it, since most models are
// trained on images that Pillow has read and resized.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// Map is an image: a byte for each pixel and channel, in the order HWC. One channel is grey, three are red, green and
// blue, the fourth is how opaque a pixel is.
type Map struct {
	H, W, C int
	Pix     []uint8
}

// resize gives the map another shape. Its memory is used again; what is in it is of no use.
func (m *Map) resize(h, w, c int) {
	m.H, m.W, m.C = h, w, c
	if n := h * w * c; n <= cap(m.Pix) {
		m.Pix = m.Pix[:n]
	} else {
		m.Pix = make([]uint8, n)
	}
}

// MostPixels is the usual limit of an image's pixels: a file of a few bytes can claim to have any number.
const MostPixels = 1 << 26

// ErrFormat is the error about bytes that are no image of a known format.
var ErrFormat = errors.New("is no JPEG, PNG, WebP, BMP or GIF image")

// Decoder decodes images. What it needs besides the result is used again, where the format's own decoder permits.
type Decoder struct {
	MostPixels int // 0: MostPixels
	lines      lines
	turned     []uint8
}

// format is a kind of image file.
type format struct {
	name   string
	magic  []string // how a file begins; a dot is any byte
	size   func(data []byte) (w, h int, err error)
	decode func(data []byte) (image.Image, error)
	tag    func(data []byte) []byte // the file's EXIF data, nil if it has none
}

// formats are the known kinds of image files.
func formats() [5]format {
	return [5]format{
		{"JPEG", []string{"\xff\xd8\xff"}, sizeBy(jpeg.DecodeConfig), with(jpeg.Decode), jpegExif},
		{"PNG", []string{"\x89PNG\r\n\x1a\n"}, sizeBy(png.DecodeConfig), with(png.Decode), pngExif},
		{"WebP", []string{"RIFF....WEBP"}, webpSize, with(webp.Decode), webpExif},
		{"GIF", []string{"GIF87a", "GIF89a"}, sizeBy(gif.DecodeConfig), firstFrame, nil},
		{"BMP", []string{"BM"}, sizeBy(bmp.DecodeConfig), with(bmp.Decode), nil},
	}
}

// Named reports whether a file's name ends as that of an image.
func Named(name string) bool {
	return slices.Contains([]string{".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif"}, strings.ToLower(path.Ext(name)))
}

// formatOf returns the format of a file by its first bytes.
func formatOf(data []byte) (format, error) {
	for _, f := range formats() {
		for _, magic := range f.magic {
			if begins(data, magic) {
				return f, nil
			}
		}
	}
	return format{}, ErrFormat
}

func begins(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '.' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

// sizeBy makes the size function of a decoder's configuration.
func sizeBy(config func(r io.Reader) (image.Config, error)) func([]byte) (w, h int, err error) {
	return func(data []byte) (w, h int, err error) {
		c, err := config(bytes.NewReader(data))
		return c.Width, c.Height, err
	}
}

func with(decode func(r io.Reader) (image.Image, error)) func([]byte) (image.Image, error) {
	return func(data []byte) (image.Image, error) { return decode(bytes.NewReader(data)) }
}

// Decode decodes an image file to dst with 1, 3 or 4 channels. An image whose EXIF data says so is turned. Of colours
// with more than eight bits the upper eight count; transparency is left out where it has no channel.
func (d *Decoder) Decode(data []byte, channels int, dst *Map) error {
	f, err := formatOf(data)
	if err != nil {
		return err
	}
	img, _, _, err := d.decoded(f, data)
	if err != nil {
		return err
	}
	if err := d.lines.unpack(img, channels, f.name == "WebP", dst); err != nil {
		return fmt.Errorf("is a %s image that cannot be used: %w", f.name, err)
	}
	if f.tag != nil {
		d.turn(dst, orientation(f.tag(data)))
	}
	return nil
}

// Pixels returns how many pixels an image has, by the beginning of its file; 0 if that does not say.
func Pixels(head []byte) int {
	f, err := formatOf(head)
	if err != nil {
		return 0
	}
	w, h, err := f.size(head)
	if err != nil || w < 1 || h < 1 || w > math.MaxInt32/h {
		return 0
	}
	return w * h
}

// decoded decodes a file whose size is allowed.
func (d *Decoder) decoded(f format, data []byte) (img image.Image, w, h int, err error) {
	if w, h, err = f.size(data); err != nil {
		return nil, 0, 0, fmt.Errorf("is a damaged %s image: %w", f.name, err)
	}
	if most := d.most(); w < 1 || h < 1 || w > most/h {
		return nil, 0, 0, fmt.Errorf("is a %s image of %d×%d pixels, and at most %d pixels are allowed", f.name, w, h, most)
	}
	if img, err = f.decode(data); err != nil {
		return nil, 0, 0, fmt.Errorf("is a damaged %s image: %w", f.name, err)
	}
	if b := img.Bounds(); b.Dx() != w || b.Dy() != h {
		return nil, 0, 0, fmt.Errorf("is a damaged %s image: it says that it has %d×%d pixels, and has %d×%d", f.name, w, h, b.Dx(), b.Dy())
	}
	return img, w, h, nil
}

func (d *Decoder) most() int {
	if d.MostPixels > 0 {
		return d.MostPixels
	}
	return MostPixels
}

// firstFrame decodes the first picture of a GIF file, which may cover a part of its area.
func firstFrame(data []byte) (image.Image, error) {
	w, h, err := sizeBy(gif.DecodeConfig)(data)
	if err != nil {
		return nil, err
	}
	img, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	p, ok := img.(*image.Paletted)
	if !ok || p.Rect == image.Rect(0, 0, w, h) {
		return img, nil
	}
	return onCanvas(p, w, h), nil
}

// onCanvas puts a picture where it belongs on an empty area.
func onCanvas(p *image.Paletted, w, h int) image.Image {
	whole := image.NewNRGBA(image.Rect(0, 0, w, h))
	area := p.Rect.Intersect(whole.Rect)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			whole.Set(x, y, p.At(x, y))
		}
	}
	return whole
}
