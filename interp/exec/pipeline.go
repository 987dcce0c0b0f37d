package exec

import (
	"fmt"
	"os"
	"path/filepath"

	"qpipe/interp/runs"
	"qpipe/lang/diag"
)

// pipelineHere describes the pipeline of this run, for the manifest: the path, the path relative to the
// run's folder (so that both can be moved together), and the hash of the text.
func (s *session) pipelineHere() *runs.Pipeline {
	file, out := real(s.pipeline()), real(s.Out)
	p := &runs.Pipeline{Path: filepath.ToSlash(file), SHA256: s.prog.SHA256}
	if rel, err := filepath.Rel(out, file); err == nil {
		p.Relative = filepath.ToSlash(rel)
	}
	return p
}

// real returns the absolute path without symbolic links, as far as it can be found.
func real(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if through, err := filepath.EvalSymlinks(path); err == nil {
		path = through
	}
	return path
}

// otherPipeline returns an error if the folder has the run of another pipeline. A pipeline was moved, and is not another
// one, if its text is the same and there is nothing at the old path.
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
		Detail: "Choose another folder with -out. If this is the same pipeline, moved and edited, run it with -adopt to keep using the folder.",
	}
}
