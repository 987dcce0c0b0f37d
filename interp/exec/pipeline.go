package exec

import (
	"fmt"
	"os"
	"path/filepath"

	"qpipe/interp/runs"
	"qpipe/lang/diag"
)

// pipelineHere says whose run it is: the pipeline's place, also as seen from the run's folder, so
// that both can be moved together, and the hash of its text.
func (s *session) pipelineHere() *runs.Pipeline {
	file, out := real(s.pipeline()), real(s.Out)
	p := &runs.Pipeline{Path: filepath.ToSlash(file), SHA256: s.prog.SHA256}
	if rel, err := filepath.Rel(out, file); err == nil {
		p.Relative = filepath.ToSlash(rel)
	}
	return p
}

// real is the path without links, from the root, as far as that can be said.
func real(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if through, err := filepath.EvalSymlinks(path); err == nil {
		path = through
	}
	return path
}

// otherPipeline refuses the folder of another pipeline's run. One that lay elsewhere is the same if it is not there any
// more, and the text is.
func (s *session) otherPipeline() *diag.Diagnostic {
	was, is := s.manifest.Pipeline, s.pipelineHere()
	if was == nil || s.Adopt || was.Path == is.Path || was.Relative == is.Relative {
		return nil
	}
	if _, err := os.Stat(filepath.FromSlash(was.Path)); err != nil && was.SHA256 == is.SHA256 {
		return nil
	}
	return &diag.Diagnostic{
		Code: diag.OtherPipeline, Summary: fmt.Sprintf("%s holds the run of another pipeline: %s", s.Out, filepath.FromSlash(was.Path)),
		Detail: "Give this one another folder with -out. If it is that pipeline, moved and edited, run it with -adopt: the folder is then its.",
	}
}
