package runs

import (
	"io"
	"os"
	"path/filepath"

	"qpipe/interp/disk"
)

// GrowFile is PutFile for a file that grows. If the stage's file is the beginning of data, the rest is appended: a program
// that has opened the file then sees it. If it has all of data already, nothing is written.
func (r *Run) GrowFile(stageName, name string, data []byte) error {
	e := r.Manifest.Stage(stageName)
	if err := r.written(e); err != nil {
		return r.unwritable(file(stageName, name), err)
	}
	old := e.Artifact(name)
	if old == nil || old.Bytes > int64(len(data)) || disk.Sum(data[:old.Bytes]) != old.SHA256 {
		return r.PutFile(stageName, name, data)
	}
	if c, err := r.whose(old.Path, *old); err != nil || c != ours {
		return r.PutFile(stageName, name, data)
	}
	if old.Bytes == int64(len(data)) {
		return nil
	}
	f := File{Name: name, Path: old.Path, Bytes: int64(len(data)), SHA256: disk.Sum(data)}
	e.Writing = &f
	if err := r.Save(); err != nil {
		return err
	}
	if r.Log != nil {
		r.Log(stageName, f)
	}
	if err := r.appendTo(f.Path, data[old.Bytes:]); err != nil {
		return r.unwritable(f.Path, err)
	}
	r.remember(f)
	e.put(f)
	e.Writing = nil
	return nil
}

// appendTo appends to a file and makes it durable.
func (r *Run) appendTo(name string, data []byte) error {
	f, err := r.Root().OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	err = r.Append(f, name, data)
	if err == nil {
		err = r.SyncFile(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// cutBack takes away what a crash has left of an append: if the file begins with what the stage had written before, it
// ends there again.
func (r *Run) cutBack(e *StageEntry) error {
	next := e.Writing
	old := e.Artifact(next.Name)
	if r.lock == nil || old == nil || old.Path != next.Path {
		return nil
	}
	info, err := r.Lstat(old.Path)
	if err != nil || !info.Mode().IsRegular() || info.Size() <= old.Bytes || info.Size() > next.Bytes {
		return nil //nolint:nilerr // a file that is not there is nothing to cut
	}
	if sum, err := r.Sum(old.Path); err != nil || sum == next.SHA256 {
		return err
	}
	f, err := r.Root().OpenFile(filepath.FromSlash(old.Path), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if sum, _, err := disk.SumReader(io.LimitReader(f, old.Bytes)); err != nil || sum != old.SHA256 {
		return err
	}
	if err := f.Truncate(old.Bytes); err != nil {
		return err
	}
	return r.SyncFile(f)
}
