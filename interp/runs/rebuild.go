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

// rebuilt rebuilds a missing manifest from the log of events and the checkpoints. In a folder that does not belong to a
// run, it is empty.
func (r *Run) rebuilt() (*Manifest, error) {
	m := &Manifest{Data: map[string]disk.Digest{}}
	if err := r.mine(EventsName); err != nil {
		return nil, err
	}
	entry, write := event.Entry{}.Kind(), event.Write{}.Kind()
	logged := map[string]map[string]string{} // stage → name → hash, of what its present attempt has written
	err := r.Events(func(object []byte) error {
		if !bytes.Contains(object, []byte(`"`+entry+`"`)) && !bytes.Contains(object, []byte(`"`+write+`"`)) {
			return nil
		}
		var l event.Logged
		var data struct {
			Entry *StageEntry `json:"entry"`
			File
		}
		if json.Unmarshal(object, &l) != nil || len(l.Data) > 0 && json.Unmarshal(l.Data, &data) != nil {
			return nil
		}
		switch e := data.Entry; {
		case l.Kind == entry && e != nil:
			m.Set(e)
			logged[e.Name] = map[string]string{}
			for _, f := range e.Artifacts {
				logged[e.Name][f.Name] = f.SHA256
			}
		case l.Kind == write && logged[l.Stage] != nil:
			logged[l.Stage][data.Name] = data.SHA256
		}
		return nil
	})
	if err != nil {
		return nil, r.unreadable(EventsName, err)
	}
	if err := m.check(); err != nil {
		return m, nil //nolint:nilerr // somebody else's log: nothing in it is used
	}
	r.Rebuilt = len(m.Stages) > 0
	for _, e := range m.Stages {
		if e.State != Complete {
			if err := r.adopt(e, logged[e.Name]); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}
