package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"qpipe/lang/diag"
)

// ManifestVersion is the version of the manifest's format; since version 2 it
// carries a hash.
const ManifestVersion = 2

// ManifestName is the manifest's file name in a run's folder.
const ManifestName = "manifest.json"

const maxManifest = 64 << 20

// The states of a stage in the manifest. A stage that is Running and whose run
// holds no lock was killed.
const (
	Running     = "running"
	Complete    = "complete"
	Interrupted = "interrupted"
	Failed      = "failed"
)

// Manifest says what a run's folder holds: a run reads it to find out what is up
// to date.
type Manifest struct {
	FormatVersion int               `json:"format_version"`
	SHA256        string            `json:"sha256"` // of the file with zeros in the place of these digits
	Program       string            `json:"program"`
	Files         []string          `json:"files"`
	Version       string            `json:"version"`
	Kernels       string            `json:"kernels"`
	Seed          int64             `json:"seed"`
	Stages        []*StageEntry     `json:"stages"`
	Outputs       []Output          `json:"outputs,omitempty"`
	Data          map[string]Digest `json:"data,omitempty"` // file → what it was when it was hashed
}

// StageEntry is a stage's line in the manifest.
type StageEntry struct {
	Name      string            `json:"name"`
	State     string            `json:"state"`
	Hash      string            `json:"hash"`   // of Inputs
	Inputs    map[string]string `json:"inputs"` // all that the stage's result depends on, as canonical JSON
	Form      string            `json:"form,omitempty"`
	Artifacts []File            `json:"artifacts,omitempty"`
	Metrics   Metrics           `json:"metrics,omitempty"`
	Best      Metrics           `json:"best_metrics,omitempty"`
	Steps     int               `json:"steps,omitempty"`
	Seconds   float64           `json:"seconds,omitempty"`
	Proof     *Proof            `json:"int8_proof,omitempty"`
	Error     string            `json:"error,omitempty"`
	// Previous is the result that the attempt under way will replace; its files
	// are kept under .previous until then.
	Previous *StageEntry `json:"previous,omitempty"`
}

// Metrics are values by name; JSON holds them also when they are not finite.
type Metrics map[string]float64

// MarshalJSON writes the metrics in the order of their names.
func (m Metrics) MarshalJSON() ([]byte, error) { return json.Marshal(toNumbers(m)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Metrics) UnmarshalJSON(data []byte) error {
	var n numbers
	err := json.Unmarshal(data, &n)
	*m = n.floats()
	return err
}

// File is an artifact with the sha256 of its bytes.
type File struct {
	Name   string `json:"name"`
	Path   string `json:"path"` // relative to the run's folder, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Output is an output block's value.
type Output struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Value       any    `json:"value"`
}

// Proof compares an int8 model with the model that was trained or calibrated, node by
// node: how many integers differ, and by how much at most. Against says which model that
// was: a checkpoint's file, or the model in front of the conversion.
type Proof struct {
	Model   string      `json:"model"` // what was proved: "int8 model", "int4 model", …
	Images  int         `json:"images"`
	Against string      `json:"against"`
	Nodes   []NodeProof `json:"nodes"`
	Total   int         `json:"total"`
	Changed int         `json:"changed"`
	MaxStep int         `json:"max_step"`
}

// NodeProof is a node's line of a Proof. Of a float32 output it counts the values that
// are not the same to the last bit, without a step.
type NodeProof struct {
	Node    string `json:"node"`
	Total   int    `json:"total"`
	Changed int    `json:"changed"`
	MaxStep int    `json:"max_step"`
}

// Stage returns the entry of that name, nil if there is none.
func (m *Manifest) Stage(name string) *StageEntry {
	for _, s := range m.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Set puts an entry in the place of the one with its name, or appends it.
func (m *Manifest) Set(e *StageEntry) {
	for i, s := range m.Stages {
		if s.Name == e.Name {
			m.Stages[i] = e
			return
		}
	}
	m.Stages = append(m.Stages, e)
}

// Artifact returns the artifact of that name, nil if there is none.
func (e *StageEntry) Artifact(name string) *File {
	if e == nil {
		return nil
	}
	for i := range e.Artifacts {
		if e.Artifacts[i].Name == name {
			return &e.Artifacts[i]
		}
	}
	return nil
}

// ReadManifest reads the manifest of the run in dir; nil without an error where
// there is none.
func ReadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, ManifestName)
	data, err := readLimited(path, maxManifest)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, asFileError(path, err)
	}
	return decodeManifest(path, data)
}

func decodeManifest(path string, data []byte) (*Manifest, error) {
	var head struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, damaged(path, "not a manifest: %w", err)
	}
	if head.FormatVersion < 1 || head.FormatVersion > ManifestVersion {
		return nil, &FileError{path, diag.UnknownFormat, fmt.Errorf("has the format version %d; this program reads versions 1 to %d", head.FormatVersion, ManifestVersion)}
	}
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, damaged(path, "not a manifest: %w", err)
	}
	if head.FormatVersion > 1 && Sum(bytes.Replace(data, manifestHash(m.SHA256), manifestHash(noHash()), 1)) != m.SHA256 {
		return nil, damaged(path, "its content does not match its hash: it was changed, or damaged")
	}
	for _, s := range m.Stages {
		switch {
		case s == nil:
			return nil, damaged(path, "not a manifest: a stage is null")
		case s.Name == "" || s.Name == "." || s.Name == ".." || strings.ContainsAny(s.Name, `/\`):
			return nil, damaged(path, "no stage is named %q: its files would lie outside of the run's folder", clip(s.Name))
		}
	}
	return m, nil
}

// manifestHash is how the hash stands in the file.
func manifestHash(digits string) []byte { return []byte(`"sha256": "` + digits + `"`) }

// WriteManifest replaces the manifest of the run in dir.
func WriteManifest(d *Disk, dir string, m *Manifest) error {
	path := filepath.Join(dir, ManifestName)
	m.FormatVersion, m.SHA256 = ManifestVersion, noHash()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return &FileError{path, diag.Unwritable, err}
	}
	m.SHA256 = Sum(buf.Bytes())
	data := bytes.Replace(buf.Bytes(), manifestHash(noHash()), manifestHash(m.SHA256), 1)
	if err := d.Write(path, data); err != nil {
		return &FileError{path, diag.Unwritable, err}
	}
	return nil
}
