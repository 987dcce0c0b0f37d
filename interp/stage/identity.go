package stage

import (
	"fmt"
	"maps"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
)

// CallbackNames returns a name for each callback, given their types in written order. A
// name is the type and a count of the callbacks of that type so far: "FuseBN[0]",
// "EMA[0]", "FuseBN[1]". Checkpoints use these names to identify callbacks.
func CallbackNames(types []string) []string {
	count := map[string]int{}
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = fmt.Sprintf("%s[%d]", t, count[t])
		count[t]++
	}
	return out
}

// names returns the names of the callbacks; see [CallbackNames].
func names(callbacks []BoundCallback) []string {
	types := make([]string, len(callbacks))
	for i, c := range callbacks {
		types[i] = c.Type
	}
	return CallbackNames(types)
}

// named returns the callbacks that implement H, by their names.
func named[H any](callbacks []BoundCallback) map[string]H {
	out := map[string]H{}
	for i, name := range names(callbacks) {
		if h, ok := callbacks[i].Callback.(H); ok {
			out[name] = h
		}
	}
	return out
}

// states returns what a snapshot keeps of the callbacks: their names and, for a
// [part.Stateful] one, a copy of its state.
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

// sameCallbacks reports whether the callbacks of a snapshot are the given ones in the same
// order. Then the lists of hooks are the same, too. For a file of format version 1 it can
// only compare how many there are.
func sameCallbacks(kept []checkpoint.CallbackState, callbacks []BoundCallback) bool {
	return slices.EqualFunc(kept, names(callbacks), func(c checkpoint.CallbackState, name string) bool {
		return c.Name == name || !c.Typed()
	})
}
