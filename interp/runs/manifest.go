package runs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// ManifestVersion is the version of the manifest's format; docs/format.md describes it. Since version 2 it has a hash,
// since version 3 it lists every file when it is written.
const ManifestVersion = 3

// ManifestName is the manifest's file name in a run's folder.
const ManifestName = "manifest.json"

const maxManifest = 64 << 20

// manifestHead is the beginning of every manifest.
const manifestHead = "{\n  \"format_version\": "

// The states of a stage in the manifest. A stage that is Running and whose run
// holds no lock was killed.
const (
	Running     = "running"
	Complete    = "complete"
	Interrupted = "interrupted"
	Failed      = "failed"
)

// Manifest describes what a run's folder contains. A run reads it to find out what is up to date.
type Manifest struct {
	FormatVersion int                    `json:"format_version"`
	SHA256        string                 `json:"sha256"` // of the file with these digits replaced by zeros
	Program       string                 `json:"program"`
	Files         []string               `json:"files"`
	Pipeline      *Pipeline              `json:"pipeline,omitempty"`
	Version       string                 `json:"version"`
	Kernels       string                 `json:"kernels"`
	Seed          int64                  `json:"seed"`
	Logs          *Logs                  `json:"logs,omitempty"` // without it the logs are those of an earlier version
	Stages        []*StageEntry          `json:"stages"`
	Outputs       []Output               `json:"outputs,omitempty"`
	Data          map[string]disk.Digest `json:"data,omitempty"` // file → what it was when it was hashed
}

// Logs has the least number of lines that the logs had when the manifest was written.
type Logs struct {
	Events int `json:"events"`
}

// Measured has the least number of lines of metrics.jsonl that a stage had when the manifest was written, and the
// CRC-32C of these, each without its last two fields and with its line end.
type Measured struct {
	Lines int    `json:"lines"`
	Check string `json:"check"`
}

// Pipeline is the pipeline that the run belongs to.
type Pipeline struct {
	Path     string `json:"path"`     // absolute, with slashes
	Relative string `json:"relative"` // to the run's folder
	SHA256   string `json:"sha256"`   // of its text
}

// StageEntry is a stage's line in the manifest.
type StageEntry struct {
	Name   string            `json:"name"`
	State  string            `json:"state"`
	Hash   string            `json:"hash"`   // of Inputs; "" if version 1 has written them, under other names
	Inputs map[string]string `json:"inputs"` // everything that the stage's result depends on, as canonical JSON
	Form   string            `json:"form,omitempty"`
	// Artifacts are the files that the stage has written and not removed.
	Artifacts []File `json:"artifacts,omitempty"`
	// Writing is the file that is being written: at its path is the old file or this one.
	Writing *File `json:"writing,omitempty"`
	// Removing are files that no longer belong to the stage, and are being removed.
	Removing []File           `json:"removing,omitempty"`
	Metrics  artifact.Metrics `json:"metrics,omitempty"`
	Best     artifact.Metrics `json:"best_metrics,omitempty"`
	Steps    int              `json:"steps,omitempty"`
	Seconds  float64          `json:"seconds,omitempty"`
	Proof    *Proof           `json:"int8_proof,omitempty"`
	Error    string           `json:"error,omitempty"`
	// Lost is a missing file without which the attempt cannot be completed.
	Lost string `json:"lost,omitempty"`
	// Measured is what metrics.jsonl contains about the stage.
	Measured *Measured `json:"measured,omitempty"`
	// Lines are the lines of metrics.jsonl of a kept result, or of a restored one until they are in the file again.
	Lines []json.RawMessage `json:"lines,omitempty"`
	// Kept are earlier results and attempts, the newest first, until the stage is complete.
	Kept []*Kept `json:"kept,omitempty"`
	// Previous is format version 2's only kept result.
	Previous *StageEntry `json:"previous,omitempty"`
}

// Kept is a result or an attempt that another one will replace.
type Kept struct {
	StageEntry

	Folder  int  `json:"folder"`            // its files are in .previous/<stage>/<folder>
	Dropped bool `json:"dropped,omitempty"` // its files are being removed
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

// Proof compares an int8 model with the model that was trained or calibrated, node by node: how many integers differ,
// and by how much at most. Against says which model that was: a checkpoint's file, or the model before the conversion.
type Proof struct {
	Model   string      `json:"model"` // what was proved: "int8 model", "int4 model", …
	Images  int         `json:"images"`
	Against string      `json:"against"`
	Nodes   []NodeProof `json:"nodes"`
	Total   int         `json:"total"`
	Changed int         `json:"changed"`
	MaxStep int         `json:"max_step"`
}

// NodeProof is a node's line of a Proof. For a float32 output it counts the values that differ in any bit, and has no
// step.
type NodeProof struct {
	Node    string `json:"node"`
	Total   int    `json:"total"`
	Changed int    `json:"changed"`
	MaxStep int    `json:"max_step"`
	Island  string `json:"float_island,omitempty"` // why the int8 model computes it in float32
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

// Set replaces the entry with the same name, or appends this one.
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

// put lists a file that was written; forget removes one that no longer belongs to the stage.
func (e *StageEntry) put(f File) {
	if old := e.Artifact(f.Name); old != nil {
		*old = f
		return
	}
	e.Artifacts = append(e.Artifacts, f)
}

func (e *StageEntry) forget(name string) {
	for i := range e.Artifacts {
		if e.Artifacts[i].Name == name {
			e.Artifacts = append(e.Artifacts[:i:i], e.Artifacts[i+1:]...)
			return
		}
	}
}

// read reads the manifest. If there is none, the folder contains nothing of a run.
func (r *Run) read() error {
	if err := r.mine(ManifestName); err != nil {
		return err
	}
	data, err := r.Read(ManifestName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		r.Manifest, err = r.rebuilt()
		return err
	}
	file := r.Path(ManifestName)
	if err != nil {
		return r.unreadable(ManifestName, err)
	}
	r.Manifest, err = decodeManifest(file, data)
	if err != nil {
		return err
	}
	if r.Manifest.FormatVersion < 3 {
		for _, e := range r.Manifest.Stages {
			if err := r.upgrade(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func decodeManifest(path string, data []byte) (*Manifest, error) {
	damaged := func(format string, a ...any) error {
		return &artifact.FileError{Path: path, Code: diag.Damaged, Err: fmt.Errorf(format, a...)}
	}
	var head struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, damaged("not a manifest: %w", err)
	}
	if head.FormatVersion < 1 || head.FormatVersion > ManifestVersion {
		return nil, &artifact.FileError{Path: path, Code: diag.UnknownFormat, Err: fmt.Errorf(
			"has the format version %d; this program reads versions 1 to %d", head.FormatVersion, ManifestVersion)}
	}
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, damaged("not a manifest: %w", err)
	}
	if head.FormatVersion > 1 && disk.Sum(bytes.Replace(data, manifestHash(m.SHA256), manifestHash(noHash()), 1)) != m.SHA256 {
		return nil, damaged("its content does not match its hash: it was changed, or damaged")
	}
	if m.Data == nil {
		m.Data = map[string]disk.Digest{}
	}
	if err := m.check(); err != nil {
		return nil, damaged("not a manifest: %w", err)
	}
	return m, nil
}

// check checks every name that will be used as a file name, and that everything required is there.
func (m *Manifest) check() error {
	folders := map[string]string{}
	for _, e := range m.Stages {
		if e == nil {
			return errors.New("a stage is null")
		}
		if err := program.StageName(e.Name); err != nil {
			return fmt.Errorf("no stage is named %q: its files would not lie in a folder of their own in the run's", clip(e.Name))
		}
		if twin, taken := folders[strings.ToLower(e.Name)]; taken {
			return fmt.Errorf("the stages %q and %q have one folder", twin, e.Name)
		}
		folders[strings.ToLower(e.Name)] = e.Name
		if err := e.check(e.Name, e.Name); err != nil {
			return fmt.Errorf("stage %q: %w", e.Name, err)
		}
	}
	return nil
}

func (e *StageEntry) check(stageName, folder string) error {
	if e.Name != stageName {
		return fmt.Errorf("the kept result is of %q", clip(e.Name))
	}
	files := slices.Concat(e.Artifacts, e.Removing)
	if e.Writing != nil {
		files = append(files, *e.Writing)
	}
	for _, f := range files {
		if err := f.check(folder); err != nil {
			return err
		}
	}
	if e.Previous != nil {
		if e.Previous.Previous != nil || len(e.Previous.Kept) > 0 || e.Previous.Writing != nil {
			return errors.New("a kept result keeps another one")
		}
		if err := e.Previous.check(stageName, folder); err != nil { // version 2 has the old paths of the files
			return err
		}
	}
	numbers := map[int]bool{}
	for _, k := range e.Kept {
		switch {
		case k == nil:
			return errors.New("a kept result is null")
		case k.Folder < 0 || numbers[k.Folder] || len(k.Kept) > 0 || k.Previous != nil || k.Writing != nil || len(k.Removing) > 0:
			return fmt.Errorf("the kept result %d cannot be one", k.Folder)
		}
		numbers[k.Folder] = true
		if err := k.check(stageName, k.folder()); err != nil {
			return err
		}
	}
	return nil
}

// folder is the folder of a kept result.
func (k *Kept) folder() string {
	if k.Folder == 0 { // of version 2
		return keptFolder(k.Name)
	}
	return path.Join(keptFolder(k.Name), strconv.Itoa(k.Folder))
}

var (
	fileName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}$`)
	hexHash  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check checks that the file is in the folder, under its own name.
func (f File) check(folder string) error {
	switch {
	case !fileName.MatchString(f.Name) || f.Path != file(folder, f.Name):
		return fmt.Errorf("no file of it is named %q, at %q", clip(f.Name), clip(f.Path))
	case f.Bytes < 0 || !hexHash.MatchString(f.SHA256):
		return fmt.Errorf("%s has no size or hash", f.Path)
	}
	return nil
}

func noHash() string { return strings.Repeat("0", 64) }

// manifestHash is the hash as it appears in the file.
func manifestHash(digits string) []byte { return []byte(`"sha256": "` + digits + `"`) }

// Save replaces the manifest.
func (r *Run) Save() error {
	m := r.Manifest
	m.FormatVersion, m.SHA256 = ManifestVersion, noHash()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return r.unwritable(ManifestName, err)
	}
	m.SHA256 = disk.Sum(buf.Bytes())
	data := bytes.Replace(buf.Bytes(), manifestHash(noHash()), manifestHash(m.SHA256), 1)
	if err := r.mine(ManifestName); err != nil {
		return err
	}
	if err := r.Write(ManifestName, data); err != nil {
		return r.unwritable(ManifestName, err)
	}
	return r.removeAll()
}

// clip shortens text from a file before it reaches a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
