// Package event describes what happens in a run, as it is logged and shown: a struct for each kind of event, and one
// JSON form for all. It does not know who sends an event or who receives it.
package event

import "encoding/json"

// Event is something that happened in a stage, or in the run itself.
type Event struct {
	Stage       string // "" if it does not belong to a stage
	Epoch, Step int    // completed, of the stage
	Data        Data
}

// Data is one of the structs of this package. Their fields are sorted by their JSON names; optional fields have
// "omitempty".
type Data interface {
	// Kind is the name of the kind in the log.
	Kind() string
}

// Line is the written form of an event: an object on a line of its own.
type Line struct {
	Time  string `json:"time,omitempty"`
	Kind  string `json:"event"`
	Stage string `json:"stage,omitempty"`
	Epoch int    `json:"epoch"`
	Step  int    `json:"step"`
	Data  Data   `json:"data,omitempty"`
}

// Line returns the event's line, with a time.
func (e Event) Line(time string) Line {
	l := Line{time, e.Data.Kind(), e.Stage, e.Epoch, e.Step, e.Data}
	if e.Data == (Interrupt{}) { // this kind has no fields
		l.Data = nil
	}
	return l
}

// Logged is a line read from a log of this version or an earlier one.
type Logged struct {
	Kind  string          `json:"event"`
	Stage string          `json:"stage"`
	Epoch int             `json:"epoch"`
	Step  int             `json:"step"`
	Data  json.RawMessage `json:"data"`
}
