package exec

import (
	"fmt"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
)

// recorded lets the stage's recorders write what was measured so far.
func (s *session) recorded(j *stage.Job) error {
	var points []part.Point
	for _, c := range j.Callbacks {
		x, ok := c.Callback.(part.Recorder)
		if !ok {
			continue
		}
		if points == nil {
			var err error
			if points, err = s.journal.Points(j.Name); err != nil {
				return err
			}
		}
		err := part.Recorded(x, &part.Record{
			Stage: j.Name, Points: slices.Clone(points),
			Write: func(name string, data []byte) error {
				if !slices.Contains(x.Files(), name) {
					return fmt.Errorf("it writes %q, which is not one of its files", name)
				}
				return s.folder.GrowFile(j.Name, name, data)
			},
		})
		if err != nil {
			return &stage.Failure{Address: c.Address, Err: err}
		}
	}
	return nil
}

// unrecorded returns the entry without the files that recorders have written.
func (s *session) unrecorded(e *runs.StageEntry) *runs.StageEntry {
	rest := *e
	rest.Artifacts = slices.DeleteFunc(slices.Clone(e.Artifacts), func(f runs.File) bool {
		st := s.plan.Stage(e.Name)
		return st != nil && slices.Contains(st.Records, f.Name)
	})
	return &rest
}

// recordAgain writes the recorders' files of a complete stage again if they are missing or damaged.
func (s *session) recordAgain(st *graph.Stage) error {
	e, broken := s.manifest.Stage(st.Name), false
	for _, f := range e.Artifacts {
		if !slices.Contains(st.Records, f.Name) {
			continue
		}
		fault, err := s.folder.Fault(e, f)
		if err != nil {
			return err
		}
		broken = broken || fault != ""
	}
	if !broken {
		return nil
	}
	j := &stage.Job{Name: st.Name}
	if err := s.parts(st, j); err != nil {
		return err
	}
	if err := s.recorded(j); err != nil {
		return err
	}
	return s.record(e, s.folder.Save())
}
