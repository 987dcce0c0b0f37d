// Package event is what happens in a run, as it is logged and shown: a struct for each kind of event, and the one JSON
// form of all. It does not know who tells of an event, and who hears it.
package event

import "encoding/json"

// Event is something that has happened: in a stage, or in the run itself.
type Event struct {
	Stage       string // "" where it is of no stage
	Epoch, Step int    // completed ones of the stage
	Data        Data
}

// Data is one of the structs of this package. Their fields are in the order of their names in JSON; one that may be left
// out has "omitempty".
type Data interface {
	// Kind is the name of the kind in the log.
	Kind() string
}

// Line is an event as it is written: an object on a line of its own.
type Line struct {
	Time  string `json:"time,omitempty"`
	Kind  string `json:"event"`
	Stage string `json:"stage,omitempty"`
	Epoch int    `json:"epoch"`
	Step  int    `json:"step"`
	Data  Data   `json:"data,omitempty"`
}

// Line is the event's, at a time.
func (e Event) Line(time string) Line {
	l := Line{time, e.Data.Kind(), e.Stage, e.Epoch, e.Step, e.Data}
	if e.Data == (Interrupt{}) { // it has no fields
		l.Data = nil
	}
	return l
}

// Logged is a line that is read again, of this version or an earlier one.
type Logged struct {
	Kind  string          `json:"event"`
	Stage string          `json:"stage"`
	Epoch int             `json:"epoch"`
	Step  int             `json:"step"`
	Data  json.RawMessage `json:"data"`
}
