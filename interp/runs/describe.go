package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/lang/diag"
)

// Description is what `qpipe show` prints of a run.
type Description struct {
	Path    string    `json:"path"`
	Kind    string    `json:"kind"`
	Seed    int64     `json:"seed"`
	Note    string    `json:"note,omitempty"` // what the reader must know about the rest
	Kernels string    `json:"kernels,omitempty"`
	Run     *Manifest `json:"run"`
	// Logs says what is wrong with the logs, Faults what is wrong with files, by their paths in the folder.
	Logs   []string          `json:"logs,omitempty"`
	Faults map[string]string `json:"faults,omitempty"`
}

// Kind is the kind of a run's description.
const Kind = "run"

// Folder returns the run's folder for a path, which names the folder or its manifest; "" if it is neither.
func Folder(path string) string {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return path
	case err == nil && filepath.Base(path) == ManifestName:
		return filepath.Dir(path)
	}
	return ""
}

// Describe returns what a run's folder contains.
func Describe(dir string) (*Description, error) {
	r, err := Look(dir, disk.Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	m := r.Manifest
	if m.FormatVersion == 0 && len(m.Stages) == 0 {
		return nil, &artifact.FileError{Path: dir, Code: diag.Unreadable, Err: notRun(dir)}
	}
	d := &Description{Path: dir, Kind: Kind, Run: m, Seed: m.Seed, Kernels: m.Kernels, Logs: r.Damages()}
	if r.Rebuilt {
		d.Note = ManifestName + " is not there: the stages are those of " + EventsName + "; the seed, the outputs and more are not known"
	}
	d.Faults = r.faults()
	return d, nil
}

// faults reads the files of all stages and of all kept results, and returns what is wrong with them.
func (r *Run) faults() map[string]string {
	out := map[string]string{}
	for _, e := range r.Manifest.Stages {
		all := slices.Clone(e.Artifacts)
		for _, k := range e.Kept {
			if !k.Dropped {
				all = append(all, k.Artifacts...)
			}
		}
		for _, f := range all {
			fault, err := r.Fault(e, f)
			if err != nil {
				fault = "cannot be read"
			}
			if fault != "" {
				out[f.Path] = fault
			}
		}
	}
	return out
}

// ReadManifest reads the manifest of the run in the folder. If the folder does not belong to a run, it has no stages.
func ReadManifest(dir string) (*Manifest, error) {
	r, err := Look(dir, disk.Options{})
	if err != nil {
		return nil, err
	}
	r.Close()
	return r.Manifest, nil
}

// notRun is the error about a folder that does not belong to a run; it names the runs' folders in it.
func notRun(dir string) error {
	var inside []string
	entries, _ := os.ReadDir(dir) // one that cannot be read has none
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if info, err := os.Lstat(filepath.Join(sub, ManifestName)); err == nil && info.Mode().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			inside = append(inside, sub)
		}
	}
	if len(inside) == 0 {
		return errors.New("not a run: it has no manifest.json; a run's folder is runs/<name>")
	}
	return fmt.Errorf("not a run, but a folder of runs: %s", diag.Enumerate(inside))
}
