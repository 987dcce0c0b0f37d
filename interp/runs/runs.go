// Package runs is a run's folder: what it contains, who owns it, and how it changes without losing anything. The
// manifest lists every file that a run has written, with the hash of what was written; these files belong to the run.
// Everything else in the folder belongs to somebody else, and is never moved, removed or overwritten.
//
// A change of several files is first written into the manifest and then performed: a later run that finds it half done
// finishes it.
package runs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/lang/diag"
	"qpipe/lang/files"
)

// Run is a run's folder. If it was opened by [Look] it is only read.
type Run struct {
	*disk.Disk
	Manifest *Manifest
	// Rebuilt says that there was no manifest, and that this one was rebuilt from the log of events.
	Rebuilt bool
	// Log, if set, is called for every file before it is written.
	Log func(stageName string, f File)

	lock   *os.File
	stamps map[string]disk.Digest // of the files that this process has written or verified
}

const lockName = "lock"

var errLocked = errors.New("another run is writing into this folder; wait for it, or give this one another folder with -out")

// Open creates the folder if necessary, locks it against other runs, and finishes what a crash has left half done.
// Close releases it; so does the end of the process, however it ends.
func Open(dir string, o disk.Options) (*Run, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		if info, lerr := os.Lstat(dir); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			err = errors.New("is a link to a folder that is not there. Make that folder, or give the run another one with -out")
		}
		return nil, &artifact.FileError{Path: dir, Code: diag.Unwritable, Err: plain(err)}
	}
	r, err := open(dir, o)
	if err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Run) begin() (err error) {
	if r.lock, err = r.takeLock(); err != nil {
		return err
	}
	if err := r.read(); err != nil {
		return err
	}
	if err := r.heal(); err != nil {
		return r.unwritable(".", err)
	}
	return nil
}

func (r *Run) takeLock() (*os.File, error) {
	if err := r.mine(lockName); err != nil {
		return nil, err
	}
	f, err := r.Lock(lockName)
	switch {
	case errors.Is(err, disk.ErrLocked):
		return nil, &artifact.FileError{Path: r.Path("."), Code: diag.Locked, Err: errLocked}
	case err != nil:
		return nil, r.unwritable(lockName, err)
	}
	return f, nil
}

// Look opens the folder only for reading: nothing is locked, written or repaired. A missing folder counts as one
// without a manifest.
func Look(dir string, o disk.Options) (*Run, error) {
	r, err := open(dir, o)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Run{Manifest: &Manifest{Data: map[string]disk.Digest{}}}, nil
	case err != nil:
		return nil, err
	}
	if err := r.read(); err != nil {
		r.Close()
		return nil, err
	}
	for _, e := range r.Manifest.Stages {
		if err := r.written(e); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func open(dir string, o disk.Options) (*Run, error) {
	d, err := disk.Open(dir, o)
	if err != nil {
		return nil, &artifact.FileError{Path: dir, Code: diag.Unreadable, Err: plain(err)}
	}
	return &Run{Disk: d, stamps: map[string]disk.Digest{}}, nil
}

// Close releases the folder.
func (r *Run) Close() {
	if r.lock != nil {
		_ = r.lock.Close()
	}
	if r.Disk != nil {
		_ = r.Disk.Close()
	}
}

// mine refuses to write one of the run's own files, such as a log, if a link, a folder or a device has its name.
func (r *Run) mine(name string) error {
	info, err := r.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return r.unwritable(name, err)
	}
	return r.notA("regular file", name, info)
}

// folder refuses whatever is in the way of one of the run's folders, or of its parent folders.
func (r *Run) folder(name string) error {
	for at, rest := "", name; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		at = path.Join(at, part)
		info, err := r.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return r.unwritable(at, err)
		case !info.IsDir():
			return r.notA("folder", at, info)
		}
	}
	return nil
}

func (r *Run) notA(what, name string, info fs.FileInfo) error {
	return &artifact.FileError{Path: r.Path(name), Code: diag.Foreign, Err: fmt.Errorf(
		"is a %s, not a %s, and in the way of the run's own. Move it away, or give the run another folder with -out",
		cmp.Or(files.Kind(info.Mode()), "file"), what)}
}

// foreign is the error about files that do not belong to the run and are where it writes.
func (r *Run) foreign(names ...string) error {
	var paths []string
	for _, name := range names {
		paths = append(paths, r.Path(name))
	}
	text := "is in the way: this run writes a file of that name, and has not written this one. Move it away"
	if len(paths) > 1 {
		text = fmt.Sprintf("is in the way, and so %s %s: this run writes files of these names, and has not written these. Move them away",
			map[bool]string{true: "is", false: "are"}[len(paths) == 2], strings.Join(few(paths[1:]), ", "))
	}
	text += ", or give the run another folder with -out"
	if r.Manifest == nil || !r.known() {
		text += ". There is no " + ManifestName + " that says whose they are, nor an " + EventsName + " of a run from which it could be rebuilt"
	}
	return &artifact.FileError{Path: paths[0], Code: diag.Foreign, Err: errors.New(text)}
}

// known reports whether the folder is known to belong to a run.
func (r *Run) known() bool { return r.Manifest.FormatVersion > 0 || len(r.Manifest.Stages) > 0 }

// unwritable names the file that an error is about: the one in the operating system's error, or else this one.
func (r *Run) unwritable(name string, err error) error {
	return r.fileError(name, diag.Unwritable, err)
}

func (r *Run) unreadable(name string, err error) error {
	return r.fileError(name, diag.Unreadable, err)
}

func (r *Run) fileError(name string, code diag.Code, err error) error {
	var f *artifact.FileError
	if errors.As(err, &f) {
		return err
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		said := filepath.ToSlash(p.Path)
		if below, ok := strings.CutPrefix(said, filepath.ToSlash(r.Path("."))+"/"); ok {
			name = below
		} else if filepath.IsLocal(p.Path) {
			name = said
		}
	}
	return &artifact.FileError{Path: r.Path(disk.Final(name)), Code: code, Err: plain(err)}
}

// plain removes the path from an operating system's error, because the message already names it.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && strings.Contains(p.Err.Error(), "path escapes") {
		return errors.New("is a link that leads outside of the run's folder. Move it away, or give the run another folder with -out")
	}
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		err = l.Err
	}
	if err = files.Cause(err); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w. Give yourself permission (chmod, chown), also for its folder, or give the run another folder with -out", err)
	}
	return err
}

// keptFolder is the folder of a stage's kept results.
func keptFolder(stageName string) string { return path.Join(".previous", stageName) }
