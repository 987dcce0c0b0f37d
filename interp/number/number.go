// Package number is numbers in JSON, which has no form for an infinity and for what is not a number.
package number

import (
	"encoding/json"
	"math"
	"strconv"
)

// Float is a float64 that JSON can hold also when it is not finite: as the word that names it.
type Float float64

// MarshalJSON writes a number, or its name where JSON has none.
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

// Map holds numbers by name. JSON has them in the order of the names.
type Map map[string]Float

// Of returns a map with the same numbers, nil of nil.
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

// Floats returns the numbers as they are computed with, nil of nil.
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
