package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"

	"qpipe/interp/frame"
	"qpipe/lang/files"
)

// The largest logs that are read. That of the metrics is held in memory.
const (
	maxLog     = 1 << 30
	maxMetrics = 256 << 20
)

// damagedExt is the ending of a damaged log's name, where it is kept.
const damagedExt = ".damaged"

// Log is a file of JSON lines that is appended to. Each line has a number and a check: see frame.go. The log knows what
// it has written, so it notices, reports and repairs what somebody else does to the file.
type Log struct {
	run    *Run
	name   string
	file   *os.File
	size   int64
	seq    int
	sum    uint32 // of all bytes
	failed error  // of the first write that failed: nothing is written after it
	made   bool   // there was none
	whole  bool   // there was a file, and no line of it was lost
	// Lines, if set, yields the objects of all lines: a damaged file is rebuilt from them.
	Lines func(yield func(object []byte) error) error
	// Tell, if set, is called with the damage that was found and repaired.
	Tell func(*Damage)
}

// OpenLogs opens the logs of events and of metrics, or creates them. A damaged log is kept under another name, and the
// new one continues its intact lines. It calls metric with every object of the log of metrics. If one of the logs
// belongs to somebody else, nothing is touched.
func (r *Run) OpenLogs(metric func(object []byte)) (events, metrics *Log, found []*Damage, err error) {
	e, err := r.look(EventsName, maxLog)
	if err != nil {
		return nil, nil, nil, err
	}
	defer e.close()
	m, err := r.look(MetricsName, maxMetrics)
	if err != nil {
		return nil, nil, nil, err
	}
	defer m.close()
	most := 0
	if r.Manifest.Logs != nil {
		most = r.Manifest.Logs.Events
	}
	events, d, err := r.openLog(e, most)
	if err != nil {
		return nil, nil, nil, err
	}
	if d != nil {
		found = append(found, d)
	}
	if m.file != nil {
		if err := m.Each(m.file, func(object []byte) error { metric(object); return nil }); err != nil {
			_ = events.Close()
			return nil, nil, nil, r.unwritable(MetricsName, err)
		}
	}
	metrics, d, err = r.openLog(m, 0)
	if err != nil {
		_ = events.Close()
		return nil, nil, nil, err
	}
	if d != nil {
		found = append(found, d)
	}
	return events, metrics, found, nil
}

// looked is a log that was read. If there is no file, it is empty.
type looked struct {
	*frame.Content
	name string
	file *os.File
}

func (l *looked) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}

// look reads a log without changing it. A log that no run has written is an error.
func (r *Run) look(name string, most int64) (*looked, error) {
	l := &looked{Content: &frame.Content{}, name: name}
	if err := r.mine(name); err != nil {
		return nil, err
	}
	f, err := files.OpenIn(r.Root(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		l.file = f
		err = l.read(r, most)
	}
	if err != nil {
		l.close()
		return nil, r.unreadable(name, err)
	}
	return l, nil
}

func (l *looked) read(r *Run, most int64) error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() > most {
		return fmt.Errorf("is larger than %d MiB, which is more than a run reads; move it away", most>>20)
	}
	if l.Content, err = frame.Scan(l.file, info.Size(), false); err != nil {
		return err
	}
	if len(l.Lines) == 0 && l.Size > 0 {
		if err := r.unnumbered(l); err != nil {
			return err
		}
	}
	return l.Order(l.file)
}

// unnumbered finds out who owns a log that has no intact line.
func (r *Run) unnumbered(l *looked) error {
	if r.Manifest.FormatVersion > 0 && r.Manifest.Logs == nil {
		c, err := frame.Scan(l.file, l.Size, true)
		if err != nil {
			return err
		}
		if c.Ours {
			l.Content = c
			return nil
		}
	}
	if !r.known() || !l.Ours {
		return r.foreign(l.name)
	}
	return nil
}

// openLog prepares a log that was read for appending. If it has fewer lines than least, lines are lost.
func (r *Run) openLog(l *looked, least int) (*Log, *Damage, error) {
	log := &Log{run: r, name: l.name}
	d := r.damage(l, least)
	if l.file == nil {
		f, err := r.Root().OpenFile(l.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, nil, r.unwritable(l.name, err)
		}
		log.file, log.made = f, true
		if len(d.Lost) == 0 {
			d = nil
		}
		return log, d, nil
	}
	if l.Sound() && l.Moved == 0 {
		if err := log.goOn(l); err != nil {
			return nil, nil, r.unwritable(l.name, err)
		}
		if len(d.Lost) == 0 {
			d, log.whole = nil, len(l.Lines) > 0
		}
		return log, d, nil
	}
	if len(l.Bad) == 0 && l.Moved == 0 && (l.Plain || len(d.Lost) == 0) {
		d = nil // lines of an earlier version, or a last line without its end
	} else if err := log.keep(d); err != nil {
		return nil, nil, err
	}
	err := log.Rewrite(func(yield func([]byte) error) error { return l.Each(l.file, yield) })
	if err != nil {
		return nil, nil, err
	}
	return log, d, nil
}

// damage is what is wrong with a log; least is the number of lines that it had at least.
func (r *Run) damage(l *looked, least int) *Damage {
	d := &Damage{Path: r.Path(l.name), Gone: l.file == nil, Bad: l.Bad, Moved: l.Moved, Sound: len(l.Lines)}
	if !l.Plain {
		d.lose(l.Lost(least))
	}
	return d
}

// Damages returns what is wrong with the logs, and leaves them as they are.
func (r *Run) Damages() (out []string) {
	least := map[string]int{}
	if r.Manifest.Logs != nil {
		least[EventsName] = r.Manifest.Logs.Events
	}
	for _, e := range r.Manifest.Stages {
		if e.Measured != nil && e.Lines == nil {
			least[MetricsName] += e.Measured.Lines
		}
	}
	for name, most := range map[string]int64{EventsName: maxLog, MetricsName: maxMetrics} {
		l, err := r.look(name, most)
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		if d := r.damage(l, least[name]); len(d.Bad) > 0 || d.Moved > 0 || len(d.Lost) > 0 {
			out = append(out, d.Summary())
		}
		l.close()
	}
	slices.Sort(out)
	return out
}

// goOn opens an intact file at its end, and cuts off what a crash has left of a line.
func (l *Log) goOn(was *looked) (err error) {
	if l.file, err = l.run.Root().OpenFile(l.name, os.O_RDWR, 0); err != nil {
		return err
	}
	l.size, l.seq, l.sum = was.End, len(was.Lines), was.Sum
	if was.End < was.Size {
		if err = l.file.Truncate(was.End); err == nil {
			l.sum, err = sumOf(l.file, was.End)
		}
	}
	if err == nil {
		_, err = l.file.Seek(was.End, io.SeekStart)
	}
	if err != nil {
		_ = l.file.Close()
	}
	return err
}

// sumOf is the CRC-32C of the first bytes of a file.
func sumOf(f io.ReaderAt, size int64) (uint32, error) {
	h := crc32.New(frame.Castagnoli())
	n, err := io.Copy(h, io.NewSectionReader(f, 0, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	return h.Sum32(), err
}

// keep preserves the damaged file under another name.
func (l *Log) keep(d *Damage) error {
	as, err := l.run.Keep(l.name, damagedExt)
	if err != nil {
		return l.run.unwritable(l.name+damagedExt, err)
	}
	d.Kept = l.run.Path(as)
	return nil
}

// Replace keeps the damaged file under another name, unless that was already done, and rebuilds the log from Lines.
func (l *Log) Replace(d *Damage) error {
	if d.Kept == "" {
		if err := l.keep(d); err != nil {
			return err
		}
	}
	return l.Rewrite(l.Lines)
}

// Rewrite replaces the file by one with the objects that lines yields, numbered from 1.
func (l *Log) Rewrite(lines func(yield func(object []byte) error) error) error {
	if l.failed != nil {
		return l.failed
	}
	if err := l.run.mine(l.name); err != nil {
		return err
	}
	next := Log{}
	err := l.run.WriteFrom(l.name, func(w io.Writer) error {
		return lines(func(object []byte) error {
			line := frame.Line(object, next.seq+1)
			next.count(line)
			_, err := w.Write(line)
			return err
		})
	})
	if err == nil {
		next.file, err = l.run.Root().OpenFile(l.name, os.O_RDWR, 0)
	}
	if err == nil {
		_, err = next.file.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return l.run.unwritable(l.name, err)
	}
	_ = l.Close()
	l.file, l.size, l.seq, l.sum = next.file, next.size, next.seq, next.sum
	return nil
}

// count takes note of a line that was written.
func (l *Log) count(line []byte) {
	l.seq++
	l.size += int64(len(line))
	l.sum = crc32.Update(l.sum, frame.Castagnoli(), line)
}

// Append adds v, whose JSON is an object, as a line. After a failed write nothing more is written.
func (l *Log) Append(v any) error {
	object, err := json.Marshal(v)
	if err != nil {
		return l.run.unwritable(l.name, err)
	}
	if err := l.Check(false); err != nil {
		return err
	}
	line := frame.Line(object, l.seq+1)
	if err := l.run.Append(l.file, l.name, line); err != nil {
		l.failed = l.run.unwritable(l.name, err)
		_ = l.file.Truncate(l.size) // of a part of a line, if possible; otherwise the next run does it
		return l.failed
	}
	l.count(line)
	return nil
}

// Count is how many lines there are.
func (l *Log) Count() int { return l.seq }

// Made reports whether there was no file when the log was opened.
func (l *Log) Made() bool { return l.made }

// Whole reports whether the file was there when the log was opened, with all of its lines.
func (l *Log) Whole() bool { return l.whole }

// Err is the error of the write that has failed, if one has.
func (l *Log) Err() error { return l.failed }

// Sync makes the lines durable.
func (l *Log) Sync() error {
	if l.failed == nil {
		if err := l.run.SyncFile(l.file); err != nil {
			l.failed = l.run.unwritable(l.name, err)
		}
	}
	return l.failed
}

// Close closes the file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// Check makes sure that the file with the log's name is the one that is being written, and that its length is
// unchanged; with whole it reads the file as well. If something is wrong, the file is kept under another name and the
// log is rebuilt.
func (l *Log) Check(whole bool) error {
	if l.failed != nil {
		return l.failed
	}
	named, err := l.run.Lstat(l.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l.fails(err)
	}
	gone := err != nil
	same := !gone && l.isOpen(named)
	if same && named.Size() == l.size && (!whole || l.asWritten()) {
		return nil
	}
	if err := l.run.mine(l.name); err != nil {
		return l.fails(err)
	}
	d := &Damage{Path: l.run.Path(l.name), Gone: gone, Live: true}
	if !gone && named.Size() > 0 {
		if err := l.keep(d); err != nil {
			return l.fails(err)
		}
	}
	if err := l.again(d); err != nil {
		return l.fails(err)
	}
	if l.Tell != nil {
		l.Tell(d)
	}
	return nil
}

// fails notes that the log cannot be written any more.
func (l *Log) fails(err error) error {
	l.failed = l.run.unwritable(l.name, err)
	return l.failed
}

// isOpen reports whether the file is the one that is being written.
func (l *Log) isOpen(named fs.FileInfo) bool {
	open, err := l.file.Stat()
	return err == nil && os.SameFile(named, open)
}

// asWritten reports whether the open file, which may no longer have a name, contains what was written.
func (l *Log) asWritten() bool {
	info, err := l.file.Stat()
	if err != nil || info.Size() != l.size {
		return false
	}
	sum, err := sumOf(l.file, l.size)
	return err == nil && sum == l.sum
}

// again rebuilds the file: from memory, or from the intact lines of the open file.
func (l *Log) again(d *Damage) error {
	if l.Lines != nil {
		d.Sound = l.seq
		return l.Rewrite(l.Lines)
	}
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	c, err := frame.Scanned(l.file, info.Size())
	if err != nil {
		return err
	}
	d.Bad, d.Moved, d.Sound = c.Bad, c.Moved, len(c.Lines)
	d.lose(c.Lost(l.seq))
	old := l.file
	return l.Rewrite(func(yield func([]byte) error) error { return c.Each(old, yield) })
}

// sound yields the objects of the intact lines of a log, in order. Lines of an earlier version do not count.
func (r *Run) sound(name string, most int64, yield func(object []byte) error) error {
	f, err := files.OpenIn(r.Root(), name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > most {
		return files.ErrTooLarge
	}
	c, err := frame.Scanned(f, info.Size())
	if err != nil {
		return err
	}
	return c.Each(f, yield)
}

// Events yields the objects of the intact lines of the log of events, in their order in the file.
func (r *Run) Events(yield func(object []byte) error) error {
	err := r.sound(EventsName, maxLog, yield)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
