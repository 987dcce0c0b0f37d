package runs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/disk"
	"qpipe/lang/diag"
)

// claim says who owns a file.
type claim int

const (
	absent  claim = iota
	ours          // what the manifest lists
	damaged       // was ours
	foreign       // somebody's
)

// whose finds out who owns the file name. It belongs to the run if it has the content of one of the files.
func (r *Run) whose(name string, files ...File) (claim, error) {
	info, err := r.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent, nil
	case err != nil:
		return absent, cmp.Or(r.folder(path.Dir(name)), err)
	case !info.Mode().IsRegular():
		return foreign, nil
	}
	now := stamp(info)
	if old, known := r.stamps[name]; known && now.Same(old) && lists(files, old.SHA256) {
		return ours, nil
	}
	if now.SHA256, err = r.Sum(name); err != nil {
		return absent, err
	}
	if lists(files, now.SHA256) {
		r.stamps[name] = now
		return ours, nil
	}
	sameSize := slices.ContainsFunc(files, func(f File) bool { return f.Bytes == info.Size() })
	return r.remains(name, info.Size(), sameSize)
}

func lists(files []File, sum string) bool {
	return slices.ContainsFunc(files, func(f File) bool { return f.SHA256 == sum })
}

// stamp distinguishes a file from a later one with the same name, within this process.
func stamp(info fs.FileInfo) disk.Digest { return disk.Stamp(info, time.Unix(1<<40, 0)) }

// remains reports whether a file is what is left of a checkpoint of the run: it has the checkpoint's size or its first
// bytes. An intact checkpoint is not, because somebody may have copied it there.
func (r *Run) remains(name string, size int64, sameSize bool) (claim, error) {
	_, err := r.Checkpoint(name)
	var f *artifact.FileError
	switch {
	case err == nil:
		return foreign, nil
	case !errors.As(err, &f) || f.Code == diag.Unreadable:
		return absent, err
	case f.Code == diag.UnknownFormat: // of a later qpipe
		return foreign, nil
	case size == 0, sameSize:
		return damaged, nil
	}
	if artifact.Ours(r.Root(), name) {
		return damaged, nil
	}
	return foreign, nil
}

// Checkpoint reads and verifies a checkpoint in the folder.
func (r *Run) Checkpoint(name string) (*checkpoint.Snapshot, error) {
	return artifact.ReadIn(r.Root(), name, r.Path(name))
}

// file is the path of a stage's checkpoint with that name. A name with an ending is that of a file that an exporter has written.
func file(stageName, name string) string {
	if exported(name) {
		return stageName + "/" + name
	}
	return stageName + "/" + name + artifact.Ext
}

// IsCheckpoint reports whether the stage's file of that name is a checkpoint or a model, and no file for other programs.
func IsCheckpoint(name string) bool { return !exported(name) }

func exported(name string) bool { return path.Ext(name) != "" && path.Ext(name) != artifact.Ext }

// nameOf is the name of the stage's file with that base, a checkpoint's without its ending.
func nameOf(base string) (string, bool) {
	if name, ok := cutExt(base); ok {
		return name, true
	}
	return base, exported(base) && base[0] != '.'
}

// File is the path of a stage's checkpoint as the user knows it.
func (r *Run) File(stageName, name string) string { return r.Path(file(stageName, name)) }

// candidates are the files that, according to the manifest, may have a stage's file name.
func (e *StageEntry) candidates(name string) (out []File) {
	if e == nil {
		return nil
	}
	if f := e.Artifact(name); f != nil {
		out = append(out, *f)
	}
	if e.Writing != nil && e.Writing.Name == name {
		out = append(out, *e.Writing)
	}
	for _, f := range e.Removing {
		if f.Name == name {
			out = append(out, f)
		}
	}
	return out
}

// claimOf finds out who owns the stage's checkpoint with that name.
func (r *Run) claimOf(stageName, name string) (claim, error) {
	return r.whose(file(stageName, name), r.Manifest.Stage(stageName).candidates(name)...)
}

// vacant makes sure that the stage may write the file: it does not exist, or it belongs to the run.
func (r *Run) vacant(stageName, name string) error {
	c, err := r.claimOf(stageName, name)
	if err == nil && c == foreign {
		err = r.foreign(file(stageName, name))
	}
	return err
}

// Put writes a checkpoint of the stage under the name.
func (r *Run) Put(stageName, name string, s *checkpoint.Snapshot) error {
	data, err := artifact.Encode(s)
	if err != nil {
		return r.unwritable(file(stageName, name), err)
	}
	return r.PutFile(stageName, name, data)
}

// PutFile writes a file of the stage: a checkpoint by its name, another one by its whole name. The manifest lists it before it is there.
func (r *Run) PutFile(stageName, name string, data []byte) error {
	e, at := r.Manifest.Stage(stageName), file(stageName, name)
	err := r.written(e) // an earlier write may have failed
	if err == nil {
		err = r.vacant(stageName, name)
	}
	if err != nil {
		return r.unwritable(at, err)
	}
	f := File{Name: name, Path: at, Bytes: int64(len(data)), SHA256: disk.Sum(data)}
	e.Writing = &f
	if err := r.Save(); err != nil {
		return err
	}
	if r.Log != nil {
		r.Log(stageName, f)
	}
	if err := r.Write(at, data); err != nil {
		return r.unwritable(at, err)
	}
	r.remember(f)
	e.put(f)
	e.Writing = nil
	return nil
}

// remember notes a file that was just written, so that it need not be read again.
func (r *Run) remember(f File) {
	if info, err := r.Lstat(f.Path); err == nil {
		now := stamp(info)
		now.SHA256 = f.SHA256
		r.stamps[f.Path] = now
	}
}

// Remove takes a checkpoint off the stage's files. The file, or what is left of it, is removed after the manifest says
// so, that is, when the manifest is saved the next time. If it has become a different file it stays. If it is on no
// list, because the manifest was lost, and is recognizably damaged, it is removed at once.
func (r *Run) Remove(stageName, name string) error {
	e, at := r.Manifest.Stage(stageName), file(stageName, name)
	if f := e.Artifact(name); f != nil {
		e.Removing = append(e.Removing, *f)
		e.forget(name)
		return nil
	}
	c, err := r.claimOf(stageName, name)
	if err == nil && c == damaged {
		err = r.Disk.Remove(at)
	}
	if err != nil {
		return r.unwritable(at, err)
	}
	return nil
}

// removeAll removes the files that the manifest lists as being removed.
func (r *Run) removeAll() error {
	for _, e := range r.Manifest.Stages {
		for _, f := range e.Removing {
			if err := r.discard(f); err != nil {
				return err
			}
		}
		e.Removing = nil
	}
	return nil
}

// discard removes a file of the run, or what is left of it.
func (r *Run) discard(f File) error {
	c, err := r.whose(f.Path, f)
	if err == nil && (c == ours || c == damaged) {
		err = r.Disk.Remove(f.Path)
	}
	if err != nil {
		return r.unwritable(f.Path, err)
	}
	return nil
}

// Forget takes a file off the stage's list, wherever it is.
func (r *Run) Forget(stageName, name string) { r.Manifest.Stage(stageName).forget(name) }

// Fault says what is wrong with a file that the entry lists, "" for nothing: "is missing", "is damaged", …. A file that
// cannot be read is an error, because it may still be intact.
func (r *Run) Fault(e *StageEntry, f File) (string, error) {
	_, c, err := r.find(e, f)
	if err != nil {
		return "", r.unreadable(f.Path, err)
	}
	return map[claim]string{absent: "is missing", damaged: "is damaged", foreign: "is another file by now"}[c], nil
}

// Verify reads every file of the stage and compares it with what was written.
func (r *Run) Verify(stageName string) error {
	e := r.Manifest.Stage(stageName)
	for _, f := range e.Artifacts {
		delete(r.stamps, f.Path)
		fault, err := r.Fault(e, f)
		if err != nil {
			return err
		}
		if fault != "" {
			return &artifact.FileError{Path: r.Path(f.Path), Code: diag.Damaged, Err: errors.New("was removed or changed while the stage ran. The next run continues from what is sound")}
		}
	}
	slices.SortFunc(e.Artifacts, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// written finds out whether the file that was being written was moved into place.
func (r *Run) written(e *StageEntry) error {
	if e.Writing == nil {
		return nil
	}
	if err := r.cutBack(e); err != nil {
		return r.unwritable(e.Writing.Path, err)
	}
	c, err := r.whose(e.Writing.Path, e.candidates(e.Writing.Name)...)
	if err == nil && c == ours {
		c, err = r.whose(e.Writing.Path, *e.Writing)
	}
	if err != nil {
		return r.unreadable(e.Writing.Path, err)
	}
	if c == ours || c == damaged && e.Artifact(e.Writing.Name) == nil {
		e.put(*e.Writing) // if it is damaged, the code that needs it will say so
	}
	e.Writing = nil
	return nil
}

// standard are the names that stages write under. If there is no list, a run considers files with these names its own.
func standard(name string) bool {
	for _, pattern := range []string{"last", "best", "int8", "epoch-[0-9][0-9][0-9][0-9]*", "step-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*"} {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// adopt lists the intact checkpoints in a stage's folder that have names used by stages. If logged is given, it lists
// only those with these hashes, by name.
func (r *Run) adopt(e *StageEntry, logged map[string]string) error {
	names, err := r.Names(e.Name)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !standard(name) || e.Artifact(name) != nil {
			continue
		}
		at := file(e.Name, name)
		s, err := r.Checkpoint(at)
		if err != nil && !Broken(err) {
			return err
		}
		if err != nil || !fitsName(s, name) {
			continue
		}
		info, err := r.Lstat(at)
		if err != nil {
			return r.unreadable(at, err)
		}
		sum, err := r.Sum(at)
		if err != nil {
			return r.unreadable(at, err)
		}
		if logged != nil && logged[name] != sum {
			continue
		}
		e.put(File{Name: name, Path: at, Bytes: info.Size(), SHA256: sum})
	}
	return r.adoptExported(e, logged)
}

// adoptExported lists the files of exporters that are as the log says.
func (r *Run) adoptExported(e *StageEntry, logged map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(logged)) {
		if !exported(name) || e.Artifact(name) != nil {
			continue
		}
		at := file(e.Name, name)
		f := File{Name: name, Path: at, SHA256: logged[name]}
		c, err := r.whose(at, f)
		if err != nil {
			return r.unreadable(at, err)
		}
		if info, err := r.Lstat(at); c == ours && err == nil {
			f.Bytes = info.Size()
			e.put(f)
		}
	}
	return nil
}

// fitsName reports whether a stage can have written the snapshot under the name: the number in the name must be the
// snapshot's.
func fitsName(s *checkpoint.Snapshot, name string) bool {
	step, epoch := Numbers(name)
	return (step < 0 || step == s.Step) && (epoch < 0 || epoch == s.Epoch)
}

// Numbers returns the step or the epoch in the name of a numbered checkpoint; -1 if the name has none.
func Numbers(name string) (step, epoch int) {
	number := func(format string) int {
		n := 0
		if _, err := fmt.Sscanf(name, format, &n); err != nil {
			return -1
		}
		return n
	}
	return number("step-%d"), number("epoch-%d")
}

// Names lists the checkpoints and models in a stage's folder, whoever owns them, sorted.
func (r *Run) Names(stageName string) ([]string, error) {
	entries, err := r.entries(stageName)
	var names []string
	for _, e := range entries {
		if name, ok := cutExt(e.Name()); ok && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names, err
}

// entries lists a folder, sorted; a missing folder has no entries.
func (r *Run) entries(folder string) ([]fs.DirEntry, error) {
	if err := r.folder(folder); err != nil {
		return nil, err
	}
	entries, err := r.Entries(folder)
	if err != nil {
		return nil, r.unwritable(folder, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func cutExt(base string) (string, bool) {
	if ext := path.Ext(base); ext != artifact.Ext || base[0] == '.' {
		return "", false
	}
	return base[:len(base)-len(artifact.Ext)], true
}

// Own reads a checkpoint that the stage itself has written. A damaged file or one of another origin is an error that
// [Broken] recognizes.
func (r *Run) Own(stageName, name string) (*checkpoint.Snapshot, error) {
	at := file(stageName, name)
	c, err := r.claimOf(stageName, name)
	switch {
	case err != nil:
		return nil, r.unreadable(at, err)
	case c == absent:
		return nil, &artifact.FileError{Path: r.Path(at), Code: diag.Unreadable, Err: errMissing}
	case c == foreign:
		return nil, r.foreign(at)
	}
	return r.Checkpoint(at)
}

var errMissing = errors.New("there is no such file")

// Broken reports whether an error of [Run.Own] means that the file cannot be used. Otherwise it could not be read, and
// may be intact.
func Broken(err error) bool {
	var f *artifact.FileError
	return errors.Is(err, errMissing) || errors.As(err, &f) && f.Code != diag.Unreadable
}

// Vacant makes sure, before stages work for hours, that they can write their files: writes reports whether a stage may
// write a file with that name.
func (r *Run) Vacant(stages []string, writes func(stageName, name string) bool) error {
	var others []string
	for _, stageName := range stages {
		entries, err := r.entries(stageName)
		if err != nil {
			return err
		}
		for _, e := range entries {
			name, ok := nameOf(e.Name())
			if !ok || !writes(stageName, name) {
				continue
			}
			at := file(stageName, name)
			c, err := r.claimOf(stageName, name)
			if err != nil {
				return r.unwritable(at, err)
			}
			if c == foreign {
				others = append(others, at)
			}
		}
	}
	if len(others) > 0 {
		return r.foreign(others...)
	}
	return nil
}
