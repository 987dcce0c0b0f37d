package verify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/data"
	"qpipe/interp/disk"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/onnx/exporter"
	"qpipe/onnx/model"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Certificate is what a verification has found, and of what.
type Certificate struct {
	FormatVersion string   `json:"format_version"`
	Qpipe         string   `json:"qpipe"`
	Equal         bool     `json:"equal"` // all that must be
	Model         Hashed   `json:"model"`
	Trained       Hashed   `json:"trained,omitzero"`
	Files         []Hashed `json:"files,omitempty"`
	Data          Images   `json:"data"`
	OS            string   `json:"os"`
	Arch          string   `json:"arch"`
	*Result
}

// Hashed is a file with its hash. A file that was made for the verification has no path.
type Hashed struct {
	Path   string `json:"path,omitempty"`
	SHA256 string `json:"sha256"`
}

// Images are the images that were used.
type Images struct {
	Name   string `json:"name"`   // "dataset.test", or "random"
	SHA256 string `json:"sha256"` // of the network's inputs, as float32 in little-endian order
}

// Request says what is verified.
type Request struct {
	Flags
	Subject string           // a run's folder, or the file of an int8 model
	Program *program.Program // the pipeline; nil if there is none
	Catalog part.Catalog
	FS      func(root string) fs.FS
	Sets    []*kernel.Set
	Python  string
	Version string // of qpipe
	Tick    func(done, of int)
}

// found are the files of a request.
type found struct {
	model, trained string
	ema            bool
	files          []string
	data           string
}

// Pipeline is the path of the pipeline of a run, "" if the subject is no run.
func Pipeline(subject string) (string, error) {
	if info, err := os.Stat(subject); err != nil || !info.IsDir() {
		return "", nil
	}
	m, err := runs.ReadManifest(subject)
	switch {
	case err != nil:
		return "", err
	case m == nil || m.Pipeline == nil:
		return "", &place.Error{Diagnostic: &diag.Diagnostic{Code: diag.CannotLoad, Summary: subject + " is not the folder of a run", Detail: "Name the folder of a run, or the file of an int8 model."}}
	}
	return m.Pipeline.Path, nil
}

// find finds the files: those that flags name and, of a run, the others.
func (r *Request) find() (f found, err error) {
	f = found{model: r.Subject, trained: r.Trained, ema: r.EMA, files: r.Against, data: r.Data}
	info, err := os.Stat(r.Subject)
	if err != nil {
		return f, cannot(r.Subject, "there is no such file or folder")
	}
	if !info.IsDir() {
		if r.Stage != "" {
			return f, cannot(r.Subject, "it is a file; -stage chooses among the int8 models of a run")
		}
		if filepath.Ext(r.Subject) == ".onnx" {
			return f, cannot(r.Subject, "it is an ONNX file: name the int8 model, and the file with -against")
		}
		return f, nil
	}
	m, err := runs.ReadManifest(r.Subject)
	if err != nil {
		return f, err
	}
	entry, err := r.stage(m)
	if err != nil {
		return f, err
	}
	st := r.program(entry.Name)
	written := r.written(st)
	for _, a := range entry.Artifacts {
		path := filepath.Join(r.Subject, filepath.FromSlash(a.Path))
		switch {
		case a.Name == program.Int8:
			f.model = path
		case len(r.Against) == 0 && (filepath.Ext(a.Name) == ".onnx" || slices.Contains(written, a.Name)):
			f.files = append(f.files, path)
		}
	}
	if st == nil {
		return f, nil
	}
	if f.data == "" && st.Val != nil {
		f.data = "dataset." + st.Val.Name
	}
	if f.trained == "" {
		f.trained, f.ema = r.made(st)
	}
	return f, nil
}

func cannot(path, format string, a ...any) error {
	return &place.Error{Diagnostic: &diag.Diagnostic{Code: diag.CannotLoad, Summary: path + ": " + fmt.Sprintf(format, a...)}}
}

// stage is the stage whose int8 model is verified.
func (r *Request) stage(m *runs.Manifest) (*runs.StageEntry, error) {
	var have []string
	var last *runs.StageEntry
	for i := range m.Stages {
		e := m.Stages[i]
		if slices.ContainsFunc(e.Artifacts, func(f runs.File) bool { return f.Name == program.Int8 }) && (r.Stage == "" || e.Name == r.Stage) {
			last = e
		}
		have = append(have, e.Name)
	}
	said := "A stage with QAT2Quantize leaves one."
	if !slices.Contains(have, r.Stage) {
		said = diag.DidYouMean(r.Stage, have, "stages")
	}
	if last == nil && r.Stage != "" {
		return nil, &place.Error{Diagnostic: &diag.Diagnostic{
			Code: diag.CannotLoad, Summary: fmt.Sprintf("%s: the stage %q has left no int8 model", r.Subject, r.Stage), Detail: said,
		}}
	}
	if last == nil {
		return nil, cannot(r.Subject, "the run has no int8 model: a stage with QAT2Quantize leaves one")
	}
	return last, nil
}

func (r *Request) program(stage string) *program.Stage {
	if r.Program == nil {
		return nil
	}
	for _, s := range r.Program.Stages {
		if s.Name == stage {
			return s
		}
	}
	return nil
}

// written are the ONNX files of a stage, whatever they are called.
func (r *Request) written(st *program.Stage) (names []string) {
	if st == nil {
		return nil
	}
	for _, call := range st.Exports {
		if call.Type != "ONNX" {
			continue
		}
		if x, err := part.New[part.Exporter](r.Catalog, call); err == nil {
			names = append(names, x.Files()...)
		}
	}
	return names
}

// made is the checkpoint that a stage's int8 model was made of.
func (r *Request) made(st *program.Stage) (path string, averaged bool) {
	if st.Convert == nil {
		return "", false
	}
	for _, c := range st.Convert.Converters {
		for _, ref := range c.Refs {
			which, is := strings.CutPrefix(ref.What, "checkpoint.")
			if !is {
				continue
			}
			path, averaged = filepath.Join(r.Subject, ref.Stage, which+artifact.Ext), false
			for f, v := range program.Arguments(c.Args) {
				if f.Name == "load_ema_model" {
					averaged = v.Bool()
				}
			}
		}
	}
	return path, averaged
}

// Verify compares, and writes the certificate. Without an error there is one, whether or not all is equal.
func Verify(ctx context.Context, r *Request) (*Certificate, string, error) {
	f, err := r.find()
	if err != nil {
		return nil, "", err
	}
	at := r.Out
	if at == "" {
		at = filepath.Join(filepath.Dir(f.model), "verify.json")
	}
	if err := free(at); err != nil {
		return nil, "", err
	}
	snap, err := artifact.Read(f.model)
	if err != nil {
		return nil, "", err
	}
	if snap.Form != nn.Quantized {
		return nil, "", cannot(f.model, "it is a %s model; int8 models are verified", snap.Form)
	}
	s := Subject{}
	if s.Int8, err = checkpoint.Restore(snap, false); err != nil {
		return nil, "", cannot(f.model, "%v", err)
	}
	c := &Certificate{FormatVersion: diag.FormatVersion, Qpipe: r.Version, OS: runtime.GOOS, Arch: runtime.GOARCH}
	if c.Model, err = hashed(f.model); err != nil {
		return nil, "", err
	}
	if err := r.trained(&s, c, f); err != nil {
		return nil, "", err
	}
	if err := r.files(&s, c, f); err != nil {
		return nil, "", err
	}
	images, err := r.images(s.Int8, f.data)
	if err != nil {
		return nil, "", err
	}
	c.Data.Name = images.name
	o := Options{Batch: r.Batch, Sets: r.Sets, Threads: r.Threads, Python: r.Python, Written: r.Slow, Context: ctx, Each: images.each}
	if r.Tick != nil {
		o.Tick = func(done int) { r.Tick(done, images.n) }
	}
	if c.Result, err = Run(s, o); err != nil {
		return nil, "", err
	}
	c.Data.SHA256, c.Equal = hex.EncodeToString(images.sum.Sum(nil)), c.Result.Equal()
	text, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = replace(at, append(text, '\n'))
	}
	return c, at, err
}

// free returns an error if a certificate must not be written: over what is no certificate, or into no folder.
func free(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return cannot(path, "there is no folder %s", filepath.Dir(path))
		}
		return nil
	case err == nil && info.Mode().IsRegular():
		text, err := files.Read(path, 64<<20)
		var c Certificate
		if err == nil && json.Unmarshal(text, &c) == nil && c.Model.SHA256 != "" && c.Qpipe != "" {
			return nil
		}
	}
	return &place.Error{Diagnostic: &diag.Diagnostic{
		Code: diag.Foreign, Summary: path + " is in the way: it is no certificate", Detail: "Give the certificate another place with -out FILE.",
	}}
}

// replace writes a file as a whole.
func replace(path string, text []byte) error {
	d, err := disk.Open(filepath.Dir(path), disk.Options{})
	if err == nil {
		err = errors.Join(d.Write(filepath.Base(path), text), d.Close())
	}
	if err != nil {
		return &place.Error{Diagnostic: &diag.Diagnostic{
			Code: diag.Unwritable, Summary: fmt.Sprintf("%s cannot be written: %v", path, err), Detail: "Give the certificate another place with -out FILE.",
		}}
	}
	return nil
}

func hashed(path string) (Hashed, error) {
	sum, err := disk.SumFile(path)
	return Hashed{filepath.ToSlash(path), sum}, err
}

// trained reads the checkpoint that the model was made of.
func (r *Request) trained(s *Subject, c *Certificate, f found) error {
	if f.trained == "" {
		return nil
	}
	snap, err := artifact.Read(f.trained)
	if err != nil {
		return err
	}
	if snap.Form != nn.QAT && snap.Form != nn.Calibration {
		if r.Trained == "" {
			return nil
		}
		return cannot(f.trained, "it is a %s model, which computes no integers", snap.Form)
	}
	if s.Trained, err = checkpoint.Restore(snap, f.ema); err != nil {
		return cannot(f.trained, "%v", err)
	}
	if err := s.Trained.SameNetwork(s.Int8); err != nil {
		return cannot(f.trained, "it is of another network: %v", err)
	}
	s.From = f.trained
	c.Trained, err = hashed(f.trained)
	return err
}

// files reads the ONNX files; where there is none, one is made.
func (r *Request) files(s *Subject, c *Certificate, f found) error {
	for _, path := range f.files {
		m, err := model.Read(path, model.Usual())
		if errors.Is(err, fs.ErrNotExist) {
			return cannot(path, "there is no such file; a run writes the files of its exporters again")
		}
		if err != nil {
			return &place.Error{Diagnostic: &diag.Diagnostic{Code: diag.CannotLoad, Summary: err.Error()}}
		}
		h, err := hashed(path)
		if err != nil {
			return err
		}
		c.Files = append(c.Files, h)
		s.Files = append(s.Files, File{Name: path, Model: m, Exact: exact(m)})
	}
	if len(f.files) > 0 {
		return nil
	}
	m, _, err := exporter.Model(s.Int8, exporter.Options{Format: exporter.QOperator, Glue: true, Version: r.Version})
	if err != nil {
		s.None = err
		return nil
	}
	text, err := m.Bytes()
	if err == nil {
		c.Files = append(c.Files, Hashed{SHA256: disk.Sum(text)})
		s.Files = append(s.Files, File{Name: "a model exported for this", Model: m, Exact: true})
	}
	return err
}

// exact reports whether a model promises the same integers: if it has no float op between DequantizeLinear of weights. What it says
// of itself does not count.
func exact(m *model.Model) bool {
	consts := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		consts[t.Name] = true
	}
	integers := false
	for _, n := range m.Graph.Nodes {
		if n.Op == "DequantizeLinear" && len(n.Inputs) > 0 && consts[n.Inputs[0]] {
			return false
		}
		integers = integers || n.Op == "QLinearConv" || n.Op == "ConvInteger" || n.Op == "MatMulInteger"
	}
	return integers
}

// images are the images that a model is verified with.
type images struct {
	name string
	n    int
	sum  hash.Hash
	each func(do func(x [][]float32, n int) error) error
}

// seen adds a batch to the hash.
func (i *images) seen(x [][]float32) {
	for _, v := range x {
		b := make([]byte, 4*len(v))
		for k, f := range v {
			binary.LittleEndian.PutUint32(b[4*k:], math.Float32bits(f))
		}
		_, _ = i.sum.Write(b)
	}
}

// images are those of a data set, or random ones.
func (r *Request) images(g *nn.Graph, address string) (*images, error) {
	i := &images{name: address, n: r.Images, sum: sha256.New()}
	if address == "" {
		i.name = "random"
		i.each = func(do func(x [][]float32, n int) error) error { return i.random(g, r.Batch, do) }
		return i, nil
	}
	if r.Program == nil {
		return nil, cannot(r.Subject, "-data names a data set of a pipeline: name the pipeline behind the model")
	}
	at := slices.IndexFunc(r.Program.Datasets, func(d *program.Dataset) bool { return "dataset."+d.Name == address })
	if at < 0 {
		return nil, cannot(r.Subject, "the pipeline has no %s", address)
	}
	set, err := data.Open(r.Catalog, r.Program.Datasets[at], func(root string) fs.FS { return r.FS(r.Program.Path(root)) })
	if err != nil {
		return nil, err
	}
	if err := part.Takes(g, set.Spec.Shapes()); err != nil {
		return nil, cannot(r.Subject, "it does not take %s: %v", address, err)
	}
	i.n = min(i.n, set.Samples.Len())
	i.each = func(do func(x [][]float32, n int) error) error {
		return set.Each(i.n, r.Batch, r.Program.Settings.Seed, func(b *feed.Batch) error {
			i.seen(b.Inputs())
			return do(b.Inputs(), len(b.Index))
		})
	}
	return i, nil
}

// random draws numbers with a mean of 0 and a deviation of 1, which normalized pixels have, too.
func (i *images) random(g *nn.Graph, batch int, do func(x [][]float32, n int) error) error {
	draw := part.NewRand(1)
	for done := 0; done < i.n; done += batch {
		n := min(batch, i.n-done)
		var x [][]float32
		for _, p := range g.Inputs() {
			v := make([]float32, p.Shape.WithN(n).Len())
			for k := range v {
				v[k] = float32(math.Sqrt(3) * (draw.Float64() + draw.Float64() + draw.Float64() + draw.Float64() - 2))
			}
			x = append(x, v)
		}
		i.seen(x)
		if err := do(x, n); err != nil {
			return err
		}
	}
	return nil
}
