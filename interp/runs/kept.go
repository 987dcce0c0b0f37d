package runs

import (
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"

	"qpipe/interp/artifact"
	"qpipe/interp/frame"
	"qpipe/lang/files"
)

// maxKept is how many earlier results and attempts of a stage are kept, until a new result is complete.
const maxKept = 3

// Begin makes next the stage's entry. The earlier entry is kept, with its files and its lines of metrics.jsonl. With
// stay the files also belong to next, which continues from them.
func (r *Run) Begin(next *StageEntry, lines []json.RawMessage, stay bool) error {
	if err := r.keep(next, nil, lines, stay); err != nil {
		return r.unwritable(next.Name, err)
	}
	r.Manifest.Set(next)
	return r.arrange(next)
}

// Continue records in the manifest that the stage's own attempt continues.
func (r *Run) Continue(next *StageEntry) error {
	r.Manifest.Set(next)
	return r.Save()
}

// BringBack restores a kept result of the stage, in exchange for the present one. The caller must then put back its
// lines: see [Run.LinesBack].
func (r *Run) BringBack(stageName string, k *Kept, lines []json.RawMessage) (*StageEntry, error) {
	next := k.StageEntry
	next.Artifacts = moved(k.Artifacts, stageName)
	if next.Lines == nil {
		next.Lines = []json.RawMessage{}
	}
	if err := r.keep(&next, k, lines, false); err != nil {
		return nil, r.unwritable(stageName, err)
	}
	r.Manifest.Set(&next)
	return &next, r.arrange(&next)
}

// LinesBack records that the lines of a restored result are in metrics.jsonl again.
func (r *Run) LinesBack(stageName string) error {
	r.Manifest.Stage(stageName).Lines = nil
	return r.Save()
}

// moved returns the list of the files with paths in another folder.
func moved(files []File, folder string) []File {
	out := slices.Clone(files)
	for i := range out {
		out[i].Path = file(folder, out[i].Name)
	}
	return out
}

// keep adds the stage's present entry to what next keeps: everything that was kept, except the entry that next was made
// from.
func (r *Run) keep(next *StageEntry, of *Kept, lines []json.RawMessage, stay bool) error {
	e := r.Manifest.Stage(next.Name)
	if e == nil {
		return nil
	}
	next.Removing = e.Removing
	next.Kept = slices.DeleteFunc(slices.Clone(e.Kept), func(k *Kept) bool { return k == of })
	k := &Kept{StageEntry: *e}
	k.Kept, k.Artifacts, k.Writing, k.Removing = nil, nil, nil, nil
	for _, f := range e.Artifacts {
		at, c, err := r.find(e, f)
		if err != nil {
			return err
		}
		if c == ours {
			k.Artifacts = append(k.Artifacts, f)
			continue
		}
		if c == damaged { // it is of no use, and it belongs to the run
			if err := r.Disk.Remove(at); err != nil {
				return err
			}
		}
		if k.State == Complete { // the rest of it is not a result
			k.State = Failed
		}
	}
	if len(k.Artifacts) == 0 {
		return nil
	}
	if stay {
		next.Artifacts = slices.Clone(k.Artifacts)
	}
	if k.Lines == nil {
		k.Lines = lines
	}
	var err error
	if k.Folder, err = r.freeFolder(e); err != nil {
		return err
	}
	k.Artifacts = moved(k.Artifacts, k.folder())
	next.Kept = append([]*Kept{k}, next.Kept...)
	drop(next.Kept)
	return nil
}

// freeFolder is a number that no kept result and no folder has.
func (r *Run) freeFolder(e *StageEntry) (int, error) {
	numbers, err := r.keptNumbers(e.Name)
	for _, k := range e.Kept {
		numbers = append(numbers, k.Folder)
	}
	return slices.Max(append(numbers, 0)) + 1, err
}

// drop marks the oldest kept results if there are too many, but never the newest complete one.
func drop(kept []*Kept) {
	newest := slices.IndexFunc(kept, func(k *Kept) bool { return k.State == Complete })
	left := len(kept)
	for i := len(kept) - 1; i >= 0 && left > maxKept; i-- {
		if i != newest {
			kept[i].Dropped = true
			left--
		}
	}
}

// Complete records in the manifest what the stage has left, and removes what was kept for it.
func (r *Run) Complete(stageName string) error {
	e := r.Manifest.Stage(stageName)
	e.State, e.Error, e.Lost = Complete, "", ""
	for _, k := range e.Kept {
		k.Dropped = true
	}
	if err := r.Save(); err != nil || len(e.Kept) == 0 {
		return err
	}
	return r.removeDropped(e)
}

// removeDropped removes the files of kept results that nobody needs.
func (r *Run) removeDropped(e *StageEntry) error {
	if !slices.ContainsFunc(e.Kept, func(k *Kept) bool { return k.Dropped }) {
		return nil
	}
	for _, k := range e.Kept {
		if !k.Dropped {
			continue
		}
		for _, f := range k.Artifacts {
			if err := r.discard(f); err != nil {
				return err
			}
		}
		if err := r.leave(k.folder()); err != nil {
			return err
		}
	}
	e.Kept = slices.DeleteFunc(e.Kept, func(k *Kept) bool { return k.Dropped })
	return r.Save()
}

// leave removes a folder of kept results, and its parent folders, if they are empty.
func (r *Run) leave(folder string) error {
	for ; folder != "."; folder = path.Dir(folder) {
		if err := r.RemoveFolder(folder); err != nil {
			return r.unwritable(folder, err)
		}
	}
	return nil
}

// arrange saves the manifest, and moves the entry's files, and those of what it keeps, to their places.
func (r *Run) arrange(e *StageEntry) error {
	if err := r.Save(); err != nil {
		return err
	}
	if err := r.finishMoves(e); err != nil {
		return r.unwritable(e.Name, err)
	}
	return r.removeDropped(e)
}

// finishMoves moves the files of an entry, and of what it keeps, to the paths in the manifest. Files that are already there
// stay, so it also finishes moves that were begun.
func (r *Run) finishMoves(e *StageEntry) error {
	if len(e.Kept) == 0 && e.Lines == nil && !r.Rebuilt {
		return nil
	}
	// Files that leave the stage's folder are moved first: nothing else is at their new paths.
	for _, k := range slices.Backward(e.Kept) {
		if k.Dropped {
			continue
		}
		for _, f := range k.Artifacts {
			if err := r.fetch(e, f); err != nil {
				return err
			}
		}
	}
	for _, f := range e.Artifacts {
		if err := r.fetch(e, f); err != nil {
			return err
		}
	}
	folders, err := r.folders(e.Name)
	if err != nil {
		return err
	}
	for _, folder := range folders[1:] {
		if err := r.leave(folder); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings a file to its place from wherever else it is: it moves it, or copies it if it belongs in the other place
// as well.
func (r *Run) fetch(e *StageEntry, f File) error {
	c, err := r.whose(f.Path, f)
	if err != nil || c == ours {
		return err
	}
	places, err := r.places(e, f)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return nil // it does not exist: the code that needs it will say so
	}
	switch c {
	case foreign:
		return r.foreign(f.Path)
	case damaged: // it is of no use, and it belongs to the run
		if err := r.Disk.Remove(f.Path); err != nil {
			return err
		}
	}
	spare := slices.IndexFunc(places, func(at string) bool { return !e.belongs(at, f) })
	if spare < 0 {
		err = r.copy(places[0], f.Path)
	} else {
		err = r.Move(places[spare], f.Path)
	}
	if err == nil {
		r.remember(f)
	}
	return err
}

func (r *Run) copy(from, to string) error {
	f, err := files.OpenIn(r.Root(), from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return r.WriteFrom(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// belongs reports whether a file with this content has its place there.
func (e *StageEntry) belongs(at string, f File) bool {
	all := slices.Clone(e.Artifacts)
	for _, k := range e.Kept {
		all = append(all, k.Artifacts...)
	}
	return slices.ContainsFunc(all, func(o File) bool { return o.Path == at && o.SHA256 == f.SHA256 })
}

// folders are the places where files of a stage can be, its own folder first.
func (r *Run) folders(stageName string) ([]string, error) {
	out := []string{stageName, keptFolder(stageName)}
	if err := r.folder(stageName); err != nil {
		return nil, err
	}
	numbers, err := r.keptNumbers(stageName)
	for _, n := range numbers {
		at := path.Join(keptFolder(stageName), strconv.Itoa(n))
		if info, err := r.Lstat(at); err == nil && info.IsDir() {
			out = append(out, at)
		}
	}
	return out, err
}

// keptNumbers are the numbers that are taken as names in the folder of a stage's kept results.
func (r *Run) keptNumbers(stageName string) (numbers []int, err error) {
	entries, err := r.entries(keptFolder(stageName))
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

// find looks for a file of the stage at its place and, in case a move was interrupted, at the others.
func (r *Run) find(e *StageEntry, f File) (at string, c claim, err error) {
	if c, err = r.whose(f.Path, f); err != nil || c == ours {
		return f.Path, c, err
	}
	if others, err := r.places(e, f); err != nil || len(others) > 0 {
		return append(others, f.Path)[0], ours, err
	}
	return f.Path, c, nil
}

// places are the other places of a file with this name and content.
func (r *Run) places(e *StageEntry, f File) (out []string, err error) {
	folders, err := r.folders(e.Name)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		at := file(folder, f.Name)
		if at == f.Path {
			continue
		}
		c, err := r.whose(at, f)
		if err != nil {
			return nil, err
		}
		if c == ours {
			out = append(out, at)
		}
	}
	return out, nil
}

// upgrade converts an entry of format version 1 or 2 to the current one. In those versions files were listed only once
// a stage was complete, and one earlier result was kept, in .previous/<stage>.
func (r *Run) upgrade(e *StageEntry) error {
	if r.Manifest.FormatVersion == 1 {
		e.Hash = ""
	}
	if p := e.Previous; p != nil {
		if r.Manifest.FormatVersion == 1 {
			p.Hash = ""
		}
		k := &Kept{StageEntry: *p}
		k.Artifacts = moved(p.Artifacts, k.folder())
		e.Kept, e.Previous = []*Kept{k}, nil
	}
	if e.State != Complete {
		e.Artifacts = nil
		if err := r.adopt(e, nil); err != nil {
			return err
		}
		if len(e.Kept) == 1 { // the earlier result may have been restored already
			e.Artifacts = slices.DeleteFunc(e.Artifacts, func(f File) bool {
				old := e.Kept[0].Artifact(f.Name)
				return old != nil && old.SHA256 == f.SHA256
			})
		}
	}
	return nil
}

// heal cleans up after a crash: it removes temporary files and finishes changes that were begun.
func (r *Run) heal() error {
	if err := r.Sweep(".", r.begun); err != nil {
		return err
	}
	for _, e := range r.Manifest.Stages {
		folders, err := r.folders(e.Name)
		if err != nil {
			return err
		}
		for _, folder := range folders {
			if err := r.Sweep(folder, func(name, tmp string) bool {
				return e.writes(path.Base(name)) && (r.begun(name, tmp) || r.halfway(e, name, tmp))
			}); err != nil {
				return err
			}
		}
		if err := r.written(e); err != nil {
			return err
		}
		if err := r.finishMoves(e); err != nil {
			return err
		}
		if err := r.removeDropped(e); err != nil {
			return err
		}
	}
	return r.removeAll()
}

// begun reports whether a temporary file can be what a crash has left of writing the file name: it is empty, or starts
// like such a file.
func (r *Run) begun(name, tmp string) bool {
	f, err := files.OpenIn(r.Root(), tmp)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	head = head[:n]
	switch name {
	case ManifestName:
		n = min(n, len(manifestHead))
		return string(head[:n]) == manifestHead[:n]
	case MetricsName, EventsName:
		return n == 0 || frame.Ours(head)
	}
	return path.Dir(name) != "." && (n == 0 || artifact.Begun(head))
}

// halfway reports whether a temporary file can be what a crash has left of writing a file for other programs: it was being
// written, and this is no larger.
func (r *Run) halfway(e *StageEntry, name, tmp string) bool {
	info, err := r.Lstat(tmp)
	f := e.Writing
	return err == nil && f != nil && f.Path == name && exported(f.Name) && info.Size() <= f.Bytes
}

// writes reports whether the stage writes a file with that base name.
func (e *StageEntry) writes(base string) bool {
	name, ok := nameOf(base)
	return ok && (standard(name) || e.Artifact(name) != nil || e.Writing != nil && e.Writing.Name == name)
}
