// Package prepare makes the input of a network out of images, as a part.Preprocessing says: files become pixels of the
// network's size, and pixels become numbers.
package prepare

import "fmt"

// Scale turns pixels or numbers into the numbers that a network gets. It is not changed after it was made.
type Scale struct {
	mean, std []float64      // for each channel
	bytes     [][256]float32 // for each channel, the result for every byte; nil for numbers
}

// NewScale prepares the conversion x = (byte/255 - mean)/std, or of numbers x = (number - mean)/std. It is computed in
// float64 and rounded once, to float32. Mean and std have a value for each channel.
func NewScale(mean, std []float64, numbers bool) (*Scale, error) {
	v := &Scale{mean: mean, std: std}
	if len(mean) == 0 || len(mean) != len(std) {
		return nil, fmt.Errorf("there are %d means and %d standard deviations; there must be one of each for a channel", len(mean), len(std))
	}
	for c := range mean {
		if !(std[c] > 0) {
			return nil, fmt.Errorf("std must be positive, channel %d has %v", c, std[c])
		}
	}
	if numbers {
		return v, nil
	}
	v.bytes = make([][256]float32, len(mean))
	for c := range v.bytes {
		for p := range v.bytes[c] {
			v.bytes[c][p] = float32((float64(p)/255 - mean[c]) / std[c])
		}
	}
	return v, nil
}

// Spread converts pixels or, if it was made for numbers, numbers. Channels are next to each other.
func (v *Scale) Spread(pix []uint8, numbers, dst []float32) {
	switch {
	case v.bytes == nil:
		for i, x := range numbers {
			c := i % len(v.mean)
			dst[i] = float32((float64(x) - v.mean[c]) / v.std[c])
		}
	case len(v.bytes) == 1:
		for i, p := range pix {
			dst[i] = v.bytes[0][p]
		}
	default:
		for len(pix) >= len(v.bytes) {
			for c := range v.bytes {
				dst[c] = v.bytes[c][pix[c]]
			}
			pix, dst = pix[len(v.bytes):], dst[len(v.bytes):]
		}
	}
}
