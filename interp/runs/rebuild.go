package runs

import (
	"bytes"
	"encoding/json"

	"qpipe/interp/disk"
	"qpipe/interp/event"
)

// The run's logs.
const (
	EventsName  = "events.jsonl"
	MetricsName = "metrics.jsonl"
)

// rebuilt makes a manifest that is not there again, from the log of events and the checkpoints. In a folder
// that is no run's, it is empty.
func (r *Run) rebuilt() (*Manifest, error) {
	m := &Manifest{Data: map[string]disk.Digest{}}
	if err := r.mine(EventsName); err != nil {
		return nil, err
	}
	err := r.Events(func(object []byte) error {
		if !bytes.Contains(object, []byte(event.Entry)) {
			return nil
		}
		var l struct {
			Event string `json:"event"`
			Data  struct {
				Entry *StageEntry `json:"entry"`
			} `json:"data"`
		}
		if json.Unmarshal(object, &l) == nil && l.Event == event.Entry && l.Data.Entry != nil {
			m.Set(l.Data.Entry)
		}
		return nil
	})
	if err != nil {
		return nil, r.unreadable(EventsName, err)
	}
	if err := m.check(); err != nil {
		return m, nil //nolint:nilerr // somebody's log: nothing of it is believed
	}
	r.Rebuilt = len(m.Stages) > 0
	for _, e := range m.Stages {
		if e.State != Complete {
			if err := r.adopt(e); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}
