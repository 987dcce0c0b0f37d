package layer

import (
	"fmt"
	"reflect"
	"strings"
)

// WindowLabel is the name of an op with its window, as listings have it: "conv 3×3 /2", "max_pool 3×2 /2×1 dilation 2".
func WindowLabel(name string, kernel, stride, dilation [2]int) string {
	label := fmt.Sprintf("%s %d×%d", name, kernel[0], kernel[1])
	if stride != [2]int{1, 1} {
		label += " /" + pair(stride)
	}
	if dilation != [2]int{1, 1} {
		label += " dilation " + pair(dilation)
	}
	return label
}

// pair is the number that both are, or both.
func pair(v [2]int) string {
	if v[0] == v[1] {
		return fmt.Sprint(v[0])
	}
	return fmt.Sprintf("%d×%d", v[0], v[1])
}

// Labelled are arguments that say themselves how an op is labelled with them.
type Labelled interface{ Label(op string) string }

// ArgumentLabel is the name of an op with its arguments, by the names that structures give them: "slice ends 16,16,4",
// "reduce_max axes 0,2". What is zero is left out, but for numbers that structures always have.
func ArgumentLabel(name string, args any) string {
	if l, ok := args.(Labelled); ok {
		return l.Label(name)
	}
	v := reflect.ValueOf(args)
	for i := range v.NumField() {
		f, x := v.Type().Field(i), v.Field(i)
		key, omit, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case x.Kind() == reflect.Struct && f.Anonymous:
			name = ArgumentLabel(name, x.Interface())
		case x.IsZero() && (omit != "" || x.Kind() != reflect.Int) || x.Kind() == reflect.Struct:
		case x.Kind() == reflect.Bool:
			name += " " + key
		default:
			name += " " + key + " " + argumentText(x)
		}
	}
	return name
}

// argumentText is a value, or several with commas; of flags the places of those that are set.
func argumentText(v reflect.Value) string {
	if v.Kind() != reflect.Array {
		return fmt.Sprint(v.Interface())
	}
	var words []string
	for i := range v.Len() {
		switch x := v.Index(i); {
		case x.Kind() != reflect.Bool:
			words = append(words, fmt.Sprint(x.Interface()))
		case x.Bool():
			words = append(words, fmt.Sprint(i))
		}
	}
	return strings.Join(words, ",")
}
