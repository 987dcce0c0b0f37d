package functions

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// coster returns how many units a call takes besides walking over its arguments, given what
// is left of the budget.
type coster func(args []cty.Value, limit int) int

// cost returns the coster of a function.
func cost(name string) coster {
	switch name {
	case "setproduct":
		return func(args []cty.Value, limit int) int {
			return min(productCost(args, limit)+everyArg(convertedCost(within(name)))(args, limit), limit+1)
		}
	case "setunion", "setintersection", "setsubtract":
		return withTypes(twice(everyArg(argsCost)), false)
	case "replace":
		return replaceCost
	case "format", "formatlist":
		return formatCost(name == "formatlist")
	case "indent":
		return indentCost
	case "join", "formatdate":
		return joinCost
	case "contains", "index":
		return searchCost
	case "split":
		return splitCost
	case "csvdecode":
		return csvCost
	case "jsondecode":
		return jsonCost
	case "parseint":
		return numberCost
	case "tonumber":
		return toCost(cty.Number)
	case "toset":
		return toCost(cty.Set(cty.DynamicPseudoType))
	case "tolist", "tomap":
		return toCost(within(name))
	case "tostring", "jsonencode":
		return textCost
	case "trim":
		return trimCost
	case "length", "strrev", "substr", "title", "urlencode":
		return everyArg(lettersCost)
	case "range":
		return rangeCost
	case "coalesce":
		return withTypes(twice(argsCost), true)
	case "concat":
		return withTypes(twice(argsCost), false)
	case "log", "pow": // what is no number is found out by a panic
		return func([]cty.Value, int) int { return callUnits }
	case "sum":
		return sumCost
	case "coalescelist", "merge", "flatten", "zipmap", "chunklist", "distinct", "sort":
		return twice(argsCost)
	case "file", "filebase64", "fileexists", "abspath", "pathexpand", "fileset", "templatefile":
		return func([]cty.Value, int) int { return callUnits }
	}
	return func([]cty.Value, int) int { return 0 }
}

// within is the type of collections that a function makes of its arguments by itself.
func within(name string) cty.Type {
	switch name {
	case "tolist", "setproduct":
		return cty.List(cty.DynamicPseudoType)
	case "toset":
		return cty.Set(cty.DynamicPseudoType)
	case "tomap":
		return cty.Map(cty.DynamicPseudoType)
	}
	return cty.DynamicPseudoType
}

// callUnits is what a question to the operating system costs.
const callUnits = 16

func argsCost(args []cty.Value, limit int) int {
	n := 0
	for _, a := range args {
		if n += Size(a, limit-n); n > limit {
			break
		}
	}
	return n
}

func twice(c coster) coster {
	return func(args []cty.Value, limit int) int { return times(c(args, limit), 2, limit) }
}

func everyArg(c coster) coster {
	return func(args []cty.Value, limit int) int {
		n := 0
		for i := range args {
			if n += c(args[i:i+1], limit-n); n > limit {
				break
			}
		}
		return n
	}
}

// lettersCost: what counts characters as people see them looks at each for long.
func lettersCost(args []cty.Value, _ int) int { return length(args[0]) / 8 }

// productCost: every combination is an element, a tuple with an element of each argument.
func productCost(args []cty.Value, limit int) int {
	n := 2 * (len(args) + 1)
	set := false
	for _, a := range args {
		if a.IsKnown() && !a.IsNull() && a.CanIterateElements() {
			set = set || a.Type().IsSetType()
			if n = times(n, max(a.LengthInt(), 1), limit); n > limit {
				return n
			}
		}
	}
	if set { // then the result is one, of tuples
		if slices.ContainsFunc(args, func(a cty.Value) bool { return hasExtreme(a, 0) }) {
			return limit + 1
		}
		return times(n, 512, limit)
	}
	return n
}

func replaceCost(args []cty.Value, limit int) int {
	if len(args) != 3 || pattern(args[1]) {
		return 0 // a regular expression pays while it works
	}
	if length(args[1]) == 0 {
		return bytesCost(length(args[0])+1, length(args[2])+8, limit)
	}
	found := 0
	if length(args[0]) > 0 {
		found = strings.Count(args[0].AsString(), args[1].AsString())
	}
	return bytesCost(found+1, length(args[2])+1, limit)
}

func indentCost(args []cty.Value, limit int) int {
	if len(args) != 2 {
		return 0
	}
	n, err := convert.Convert(args[0], cty.Number)
	if err != nil || !n.IsKnown() || n.IsNull() {
		return 0
	}
	spaces, _ := n.AsBigFloat().Float64()
	if !(spaces < float64(limit)) {
		return limit + 1
	}
	lines := 0
	if length(args[1]) > 0 {
		lines = strings.Count(args[1].AsString(), "\n")
	}
	return bytesCost(lines+1, max(int(spaces), 0)+1, limit)
}

// joinCost: the separator is between all elements.
func joinCost(args []cty.Value, limit int) int {
	n := argsCost(args, limit)
	if len(args) == 0 || n > limit {
		return n
	}
	return bytesCost(n, length(args[0])+1, limit)
}

// widths finds the numbers of a format string that are long.
func widths() *regexp.Regexp { return regexp.MustCompile(`[0-9]{3,}`) }

// formatCost: a verb may have a width, and every verb may take the same argument: for a list of texts
// an element of it, row by row.
func formatCost(list bool) coster {
	return func(args []cty.Value, limit int) int {
		n := argsCost(args, limit)
		if len(args) == 0 || n > limit || length(args[0]) == 0 {
			return n
		}
		form, wide := args[0].AsString(), 0
		for _, w := range widths().FindAllString(form, -1) {
			v, err := strconv.Atoi(w)
			if err != nil || v > limit {
				return limit + 1
			}
			wide += v
		}
		rows, longest := 1, textUnits
		for i, a := range args[1:] {
			if !list || !a.IsKnown() || a.IsNull() || !a.CanIterateElements() {
				longest = max(longest, textCost(args[i+1:i+2], limit))
				continue
			}
			rows = max(rows, a.LengthInt())
			for it := a.ElementIterator(); it.Next(); {
				_, e := it.Element()
				longest = max(longest, textCost([]cty.Value{e}, limit))
			}
		}
		verbs := strings.Count(form, "%")
		n = min(bytesCost(n*unitBytes, verbs+1, limit)+times(times(longest, verbs, limit), rows, limit), limit+1)
		return min(n+bytesCost(rows, wide+len(form), limit), limit+1)
	}
}

// sumCost: every element is added to what is there already, of which little is known.
func sumCost(args []cty.Value, limit int) int {
	n := argsCost(args, limit)
	for _, a := range args {
		if n > limit || !a.CanIterateElements() || !a.IsKnown() || a.IsNull() {
			break
		}
		whole := true
		for it := a.ElementIterator(); it.Next(); {
			_, e := it.Element()
			whole = whole && e.Type() == cty.Number && arithmetic(e) == 0
		}
		each := 2
		if !whole {
			each = 36
		}
		n += times(a.LengthInt(), each, limit)
	}
	return n
}

// searchCost: every element is compared with the value.
func searchCost(args []cty.Value, limit int) int {
	if len(args) != 2 || !args[0].IsKnown() || args[0].IsNull() || !args[0].CanIterateElements() {
		return 0
	}
	n := times(args[0].LengthInt(), Size(args[1], limit)+equalCost(args[1], limit), limit)
	return min(n+equalCost(args[0], limit), limit+1)
}

// rangeCost: a range has at most 1024 numbers.
func rangeCost(args []cty.Value, _ int) int {
	const most = 1024
	numbers := make([]float64, len(args))
	for i, a := range args {
		if a.Type() != cty.Number || !a.IsKnown() || a.IsNull() {
			return most
		}
		numbers[i], _ = a.AsBigFloat().Float64()
	}
	n := float64(most)
	switch len(numbers) {
	case 1:
		n = numbers[0]
	case 2:
		n = numbers[1] - numbers[0]
	case 3:
		n = (numbers[1] - numbers[0]) / numbers[2]
	}
	if n = math.Abs(n); n < most {
		return int(n)
	}
	return most
}

func splitCost(args []cty.Value, limit int) int {
	if len(args) != 2 || length(args[1]) == 0 || args[0].Type() != cty.String || !args[0].IsKnown() || args[0].IsNull() {
		return 0
	}
	return 2 * strings.Count(args[1].AsString(), args[0].AsString())
}

// csvUnits is what it costs to begin to read a table.
const csvUnits = 8

func csvCost(args []cty.Value, _ int) int {
	if len(args) == 0 || length(args[0]) == 0 {
		return 0
	}
	text := args[0].AsString()
	return csvUnits + 4*(strings.Count(text, ",")+strings.Count(text, "\n"))
}

// jsonCost counts what may be elements. A text that nests deeper than values may is refused,
// since decoding it takes time quadratic in the depth.
func jsonCost(args []cty.Value, limit int) int {
	if len(args) == 0 || length(args[0]) == 0 {
		return 0
	}
	n, depth, digits, inText := 0, 0, 0, false
	text := args[0].AsString()
	for i := 0; i < len(text); i++ {
		b := text[i]
		if inText {
			switch b {
			case '"':
				inText = false
			case '\\':
				i++
			}
			continue
		}
		if b < '0' || b > '9' {
			digits = 0
		} else if digits++; digits > longText {
			return limit + 1
		}
		switch b {
		case '"':
			inText = true
		case '[', '{':
			n += 8
			if depth++; depth > maxNested {
				return limit + 1
			}
		case ']', '}':
			depth--
		case ',', ':':
			n += 8
		case 'e', 'E':
			power := text[i+1 : min(len(text), i+1+longPower)]
			if end := strings.IndexFunc(power, func(r rune) bool { return !strings.ContainsRune("+-0123456789", r) }); end >= 0 {
				power = power[:end]
			}
			if power != "" {
				n += readCost("e"+power, limit)
			}
		}
	}
	return n
}

// longPower is a length up to which a power of ten is looked at.
const longPower = 16

// numberCost: a number is read in time quadratic in its digits.
func numberCost(args []cty.Value, limit int) int {
	if len(args) == 0 {
		return 0
	}
	return times(length(args[0])/pathUnits, length(args[0])/4, limit)
}

func toCost(to cty.Type) coster {
	return everyArg(func(args []cty.Value, limit int) int {
		return convertedCost(to)(args, limit) + Size(args[0], limit)
	})
}

// convertedCost is that of a function that converts its argument by itself: to see the type, and to work.
func convertedCost(to cty.Type) coster {
	return func(args []cty.Value, limit int) int { return times(conversionCost(args[0], to, limit), 2, limit) }
}

// withTypes adds what it costs to find a type that all arguments have in common; tuples may have
// become collections before.
func withTypes(c coster, tuples bool) coster {
	return func(args []cty.Value, limit int) int {
		compared := slices.Clone(args)
		for i, a := range args {
			if !tuples && a.Type().IsTupleType() {
				compared[i] = cty.EmptyTupleVal
			}
		}
		return min(c(args, limit)+typesCost(cty.TupleVal(compared), limit), limit+1)
	}
}

// textCost: numbers take long to become text.
func textCost(args []cty.Value, limit int) int {
	n := 0
	var walk func(v cty.Value, depth int)
	walk = func(v cty.Value, depth int) {
		if n++; n > limit || depth > maxNested || !v.IsKnown() || v.IsNull() {
			return
		}
		switch {
		case v.Type() == cty.Number:
			n += numberText(v)
		case v.CanIterateElements():
			if v.Type().IsSetType() {
				n += 2 * setCost(v.LengthInt(), v.Type().ElementType())
			}
			for it := v.ElementIterator(); it.Next(); {
				_, e := it.Element()
				walk(e, depth+1)
			}
		}
	}
	for _, a := range args {
		walk(a, 0)
	}
	return n
}

// trimCost: every character is looked for in the set.
func trimCost(args []cty.Value, limit int) int {
	if len(args) != 2 || length(args[1]) == 0 {
		return 0
	}
	set := args[1].AsString()
	if strings.IndexFunc(set, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return 0
	}
	return bytesCost(length(args[0])+1, len(set), limit)
}

// length is the length of a known string, else 0.
func length(v cty.Value) int {
	if v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return 0
	}
	return len(v.AsString())
}

// bytesCost is the cost of a·b bytes, at most limit+1.
func bytesCost(a, b, limit int) int {
	if a/unitBytes > limit/max(b, 1) {
		return limit + 1
	}
	return a * b / unitBytes
}

// metered makes a function pay before it works. The arguments are converted to its
// parameters here, not by the caller, since converting has its price too; what becomes a
// value of type to within is leveled before.
func metered(f function.Function, b *Budget, c coster, to cty.Type) function.Function {
	params, rest := f.Params(), f.VarParam()
	parameterOf := func(i int) *function.Parameter {
		if i < len(params) {
			return &params[i]
		}
		return rest
	}
	pay := func(args []cty.Value) error {
		n := 1 + argsCost(args, b.left) // values are walked over, as they were when they were passed (syntax.Passed)
		for i, a := range args {
			if n > b.left {
				break
			}
			n += 2 * conversionCost(a, parameterOf(i).Type, b.left-n) // to see the type, and to work
		}
		if n <= b.left {
			n += c(args, b.left-n)
		}
		if !b.take(n) {
			return errTooMuch
		}
		return nil
	}
	converted := func(args []cty.Value) ([]cty.Value, error) {
		out := make([]cty.Value, len(args))
		for i, a := range args {
			v, err := Convert(level(a, to), parameterOf(i).Type)
			if err != nil {
				return nil, function.NewArgError(i, err)
			}
			out[i] = v
		}
		return out, nil
	}
	spec := &function.Spec{
		Description: f.Description(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := pay(args); err != nil {
				return cty.DynamicPseudoType, err
			}
			args, err := converted(args)
			if err != nil {
				return cty.DynamicPseudoType, err
			}
			t, err := f.ReturnTypeForValues(args)
			return t, b.calm(err)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			args, err := converted(args)
			if err != nil {
				return cty.NilVal, err
			}
			v, err := f.Call(args)
			return v, b.calm(err)
		},
	}
	for _, p := range params {
		p.Type, p.AllowMarked = cty.DynamicPseudoType, true // there are no marks, and to look for them takes time
		spec.Params = append(spec.Params, p)
	}
	if rest != nil {
		p := *rest
		p.Type, p.AllowMarked = cty.DynamicPseudoType, true
		spec.VarParam = &p
	}
	return function.New(spec)
}

// panicUnits is the charge for a function that has panicked: cty prints the stack.
const panicUnits = 64

// calm keeps the stack of a function that has panicked from the person who wrote the call.
func (b *Budget) calm(err error) error {
	var p function.PanicError
	if errors.As(err, &p) {
		b.take(panicUnits)
		return fmt.Errorf("it cannot be called with these values (%v)", p.Value)
	}
	return err
}
