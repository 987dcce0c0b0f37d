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
	logged := map[string]map[string]string{} // stage → name → hash, of what its present attempt has written
	err := r.Events(func(object []byte) error {
		if !bytes.Contains(object, []byte(`"`+event.Entry+`"`)) && !bytes.Contains(object, []byte(`"`+event.Write+`"`)) {
			return nil
		}
		var l struct {
			Event string `json:"event"`
			Stage string `json:"stage"`
			Data  struct {
				Entry *StageEntry `json:"entry"`
				File
			} `json:"data"`
		}
		if json.Unmarshal(object, &l) != nil {
			return nil
		}
		switch e := l.Data.Entry; {
		case l.Event == event.Entry && e != nil:
			m.Set(e)
			logged[e.Name] = map[string]string{}
			for _, f := range e.Artifacts {
				logged[e.Name][f.Name] = f.SHA256
			}
		case l.Event == event.Write && logged[l.Stage] != nil:
			logged[l.Stage][l.Data.Name] = l.Data.SHA256
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
			if err := r.adopt(e, logged[e.Name]); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}
