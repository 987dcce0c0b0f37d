package artifact

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"qpipe/interp/checkpoint"
	"qpipe/interp/number"
	"qpipe/interp/part"
)

// Metrics are values by name; their JSON form also has values that are not finite.
type Metrics map[string]float64

// MarshalJSON writes the metrics in the order of their names.
func (m Metrics) MarshalJSON() ([]byte, error) { return json.Marshal(number.Of(m)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Metrics) UnmarshalJSON(data []byte) error {
	var n number.Map
	err := json.Unmarshal(data, &n)
	*m = n.Floats()
	return err
}

// field is an entry of __metadata__: how it is written and read.
type field struct {
	key   string
	of    func(s *checkpoint.Snapshot) any
	to    func(s *checkpoint.Snapshot, text []byte) error
	since int // the first format version that has it, 0 for all

	optional bool // it may be missing, and is where of is nil
}

// fields lists everything in a snapshot except the tensors. Strings are written as they are, everything else as JSON.
func fields() []field {
	return []field{
		text("stage", func(s *checkpoint.Snapshot) *string { return &s.Stage }),
		text("form", func(s *checkpoint.Snapshot) *string { return (*string)(&s.Form) }),
		text("qat_mode", func(s *checkpoint.Snapshot) *string { return (*string)(&s.Mode) }),
		text("kernels", func(s *checkpoint.Snapshot) *string { return &s.Kernels }),
		value("seed", func(s *checkpoint.Snapshot) *int64 { return &s.Seed }),
		value("epoch", func(s *checkpoint.Snapshot) *int { return &s.Epoch }),
		value("step", func(s *checkpoint.Snapshot) *int { return &s.Step }),
		value("lr", func(s *checkpoint.Snapshot) *number.Float { return (*number.Float)(&s.LR) }),
		value("absorbed", func(s *checkpoint.Snapshot) *[]checkpoint.Absorption { return &s.Absorbed }),
		value("frozen_bn", func(s *checkpoint.Snapshot) *[]string { return &s.FrozenBN }),
		value("position", func(s *checkpoint.Snapshot) *checkpoint.Position { return &s.Position }),
		floats("metrics", func(s *checkpoint.Snapshot) *map[string]float64 { return &s.Metrics }),
		floats("best", func(s *checkpoint.Snapshot) *map[string]float64 { return &s.Best }),
		since(2, head("preprocessing", func(s *checkpoint.Snapshot) *[]part.Preprocessing { return &s.Inputs })),
		tail("more_preprocessing", func(s *checkpoint.Snapshot) *[]part.Preprocessing { return &s.Inputs }),
		since(2, head("classes", func(s *checkpoint.Snapshot) *[][]string { return &s.Classes })),
		tail("more_classes", func(s *checkpoint.Snapshot) *[][]string { return &s.Classes }),
		{
			key: "callbacks",
			of: func(s *checkpoint.Snapshot) any {
				out := make([]callback, len(s.Callbacks))
				for i, c := range s.Callbacks {
					out[i] = callback{c.Name, number.Of(c.State)}
				}
				return out
			},
			to: func(s *checkpoint.Snapshot, text []byte) error {
				all, err := readCallbacks(text)
				for _, c := range all {
					s.Callbacks = append(s.Callbacks, checkpoint.CallbackState{Name: c.Name, State: c.State.Floats()})
				}
				return err
			},
		},
		{
			key: "structure",
			of:  func(s *checkpoint.Snapshot) any { return string(s.Structure) },
			to:  func(s *checkpoint.Snapshot, text []byte) error { s.Structure = text; return nil },
		},
	}
}

// callback is the state of one of the stage's callbacks; null if it has none.
type callback struct {
	Name  string     `json:"name"`
	State number.Map `json:"state"`
}

// readCallbacks reads the list. In version 1 it has only the states, which are named by their position.
func readCallbacks(text []byte) ([]callback, error) {
	var all []callback
	if err := json.Unmarshal(text, &all); err != nil || !slices.ContainsFunc(all, func(c callback) bool { return c.Name == "" }) {
		return all, err
	}
	var states []number.Map
	if err := json.Unmarshal(text, &states); err != nil {
		return nil, err
	}
	all = make([]callback, len(states))
	for i, m := range states {
		all[i] = callback{fmt.Sprintf("[%d]", i), m}
	}
	return all, nil
}

func text(key string, at func(*checkpoint.Snapshot) *string) field {
	return field{
		key: key,
		of:  func(s *checkpoint.Snapshot) any { return *at(s) },
		to:  func(s *checkpoint.Snapshot, text []byte) error { *at(s) = string(text); return nil },
	}
}

func value[T any](key string, at func(*checkpoint.Snapshot) *T) field {
	return field{
		key: key,
		of:  func(s *checkpoint.Snapshot) any { return at(s) },
		to:  func(s *checkpoint.Snapshot, text []byte) error { return json.Unmarshal(text, at(s)) },
	}
}

// head is the first of a list, or a zero value where there is none.
func head[T any](key string, at func(*checkpoint.Snapshot) *[]T) field {
	return field{
		key: key,
		of: func(s *checkpoint.Snapshot) any {
			return slices.Concat(*at(s), make([]T, 1))[0]
		},
		to: func(s *checkpoint.Snapshot, text []byte) error {
			var none, first T
			err := json.Unmarshal(text, &first)
			if !reflect.DeepEqual(first, none) {
				*at(s) = []T{first}
			}
			return err
		},
	}
}

// tail is the rest of a list that head began. It is written only where there is one.
func tail[T any](key string, at func(*checkpoint.Snapshot) *[]T) field {
	return field{
		key: key, optional: true,
		of: func(s *checkpoint.Snapshot) any {
			if len(*at(s)) < 2 {
				return nil
			}
			return (*at(s))[1:]
		},
		to: func(s *checkpoint.Snapshot, text []byte) error {
			var rest []T
			err := json.Unmarshal(text, &rest)
			if len(rest) > 0 {
				*at(s) = append(slices.Concat(*at(s), make([]T, 1))[:1], rest...)
			}
			return err
		},
	}
}

func since(version int, f field) field {
	f.since = version
	return f
}

func floats(key string, at func(*checkpoint.Snapshot) *map[string]float64) field {
	return field{
		key: key,
		of:  func(s *checkpoint.Snapshot) any { return number.Of(*at(s)) },
		to: func(s *checkpoint.Snapshot, text []byte) error {
			var m number.Map
			err := json.Unmarshal(text, &m)
			*at(s) = m.Floats()
			return err
		},
	}
}

func encodeMeta(s *checkpoint.Snapshot) (map[string]string, error) {
	meta := map[string]string{"format_version": strconv.Itoa(Version)}
	for _, f := range fields() {
		v := f.of(s)
		if v == nil && f.optional {
			continue
		}
		if str, ok := v.(string); ok {
			meta[f.key] = str
			continue
		}
		data, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.key, err)
		}
		meta[f.key] = string(data)
	}
	return meta, nil
}

func decodeMeta(s *checkpoint.Snapshot, meta map[string]string) error {
	for _, f := range fields() {
		text, ok := meta[f.key]
		if !ok && (f.optional || versionOf(meta) < f.since) {
			continue
		}
		if !ok {
			return fmt.Errorf("%q is missing", f.key)
		}
		if err := f.to(s, []byte(text)); err != nil {
			return fmt.Errorf("%s: %w", f.key, err)
		}
	}
	return checkCounts(s)
}

// checkCounts refuses counts that no run can reach.
func checkCounts(s *checkpoint.Snapshot) error {
	for _, c := range []struct {
		what    string
		n, most int
	}{
		{"epoch", s.Epoch, part.MostEpochs},
		{"step", s.Step, part.MostSteps},
		{"position: hooks", s.Position.Hooks, mostHooks},
		{"position: validated", s.Position.Validated, part.MostSteps + 1},
		{"position: images", s.Position.Images, part.MostImages},
		{"position: steps_per_epoch", s.Position.StepsPerEpoch, part.MostImages},
	} {
		if c.n < 0 || c.n > c.most {
			return fmt.Errorf("%s: %d is not a number from 0 to %d", c.what, c.n, c.most)
		}
	}
	return nil
}

// mostHooks is more than any stage has between two steps.
const mostHooks = 1_000_000
