package part

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Panic is the error of a part whose code has panicked.
type Panic struct {
	Method string // "Sample", or the name of a function if the method is not known
	On     string // " on image 13", or ""
	Value  any
	At     string // the place in the part's code: its file and line
	Stack  []byte
}

// Error returns the message, without the place.
func (p *Panic) Error() string { return fmt.Sprintf("%s panics%s: %v", p.Method, p.On, p.Value) }

// Detail says where the panic comes from.
func (p *Panic) Detail() string { return "The panic comes from " + p.At + "." }

// Guard turns a panic of a part's method into a *Panic. It must be deferred directly. A panic of qpipe itself goes on.
func Guard(err *error, method string) {
	v := recover()
	if v == nil {
		return
	}
	p := Recovered(v)
	if p == nil {
		panic(v)
	}
	p.Method = method
	*err = p
}

// Ask calls a method of a part that takes nothing. If it panics, the error is a *Panic.
func Ask[T any](method string, f func() T) (v T, err error) {
	defer Guard(&err, method)
	return f(), nil
}

// Try calls a method of a part. If it panics, the error is a *Panic.
func Try(method string, f func() error) (err error) {
	defer Guard(&err, method)
	return f()
}

// FilesOf asks a data set or a model for its files.
func FilesOf(p interface{ Files() (string, []string) }) (root string, names []string, err error) {
	defer Guard(&err, "Files")
	root, names = p.Files()
	return root, names, nil
}

// Recovered describes a panic that recover has returned, called by the deferred function itself or below it. It returns nil if
// the panic is that of qpipe itself: the innermost code that is neither Go's nor a helper of parts belongs to the interpreter.
func Recovered(v any) *Panic {
	pcs := make([]uintptr, 100)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	library, panicking := "", false // the folder of Go's own packages
	for {
		f, more := frames.Next()
		if f.Function == "runtime.gopanic" {
			library, panicking = strings.TrimSuffix(f.File, "runtime/panic.go"), true
		}
		if panicking && !helps(f, library) {
			if strings.HasPrefix(f.Function, "qpipe/interp/") && !strings.HasPrefix(f.Function, "qpipe/interp/parttest.") {
				return nil
			}
			name := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
			return &Panic{Method: name, Value: v, At: fmt.Sprintf("%s:%d", f.File, f.Line), Stack: debug.Stack()}
		}
		if !more {
			return nil
		}
	}
}

// helps reports whether a function only does what a part has asked for: it is Go's own, an op, or a helper of this package.
func helps(f runtime.Frame, library string) bool {
	return strings.HasPrefix(f.Function, "runtime.") || library != "" && strings.HasPrefix(f.File, library) ||
		strings.HasPrefix(f.Function, "qpipe/ops/") || strings.HasPrefix(f.Function, "qpipe/interp/part.")
}
