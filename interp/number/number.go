// Package number has numbers for JSON, which cannot represent infinities and NaN.
package number

import (
	"encoding/json"
	"math"
	"strconv"
)

// Float is a float64 that JSON can represent even if it is not finite: as a word.
type Float float64

// MarshalJSON writes a number, or a word if JSON cannot represent it.
func (n Float) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Float) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return json.Unmarshal(data, (*float64)(n))
	}
	f, err := strconv.ParseFloat(text, 64)
	*n = Float(f)
	return err
}

// Map has numbers by name. In JSON they are sorted by name.
type Map map[string]Float

// Of returns a map with the same numbers, nil for nil.
func Of(m map[string]float64) Map {
	if m == nil {
		return nil
	}
	out := make(Map, len(m))
	for name, v := range m {
		out[name] = Float(v)
	}
	return out
}

// Floats returns the numbers as float64, nil for nil.
func (m Map) Floats() map[string]float64 {
	if m == nil {
		return nil
	}
	out := make(map[string]float64, len(m))
	for name, v := range m {
		out[name] = float64(v)
	}
	return out
}
