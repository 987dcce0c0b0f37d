package stage

import (
	"fmt"
	"maps"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
)

// CallbackNames are the identities of callbacks of these types, in written order: the
// type, and the place among those of the type.
func CallbackNames(types []string) []string {
	count := map[string]int{}
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = fmt.Sprintf("%s[%d]", t, count[t])
		count[t]++
	}
	return out
}

func names(callbacks []BoundCallback) []string {
	types := make([]string, len(callbacks))
	for i, c := range callbacks {
		types[i] = c.Type
	}
	return CallbackNames(types)
}

// named returns the callbacks that are an H, by their names.
func named[H any](callbacks []BoundCallback) map[string]H {
	out := map[string]H{}
	for i, name := range names(callbacks) {
		if h, ok := callbacks[i].Callback.(H); ok {
			out[name] = h
		}
	}
	return out
}

// states takes down what a snapshot holds of the callbacks.
func states(callbacks []BoundCallback) []checkpoint.CallbackState {
	out := make([]checkpoint.CallbackState, len(callbacks))
	for i, name := range names(callbacks) {
		out[i].Name = name
		if f, ok := callbacks[i].Callback.(part.Stateful); ok {
			out[i].State = maps.Clone(f.State())
		}
	}
	return out
}

// sameCallbacks reports whether a snapshot's callbacks are these, in this order, so
// that its hooks are as well. Of a file of format version 1 only their number is known.
func sameCallbacks(kept []checkpoint.CallbackState, callbacks []BoundCallback) bool {
	return slices.EqualFunc(kept, names(callbacks), func(c checkpoint.CallbackState, name string) bool {
		return c.Name == name || !c.Typed()
	})
}
