// Package command reads command lines in the style of HCL tools, whatever the verbs are: flags with one dash, arguments
// that are counted and never empty, errors, pages of help.
package command

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"qpipe/interp/console"
)

// Mistake is the error about a command line that cannot be understood.
type Mistake struct{ error }

// Wrong returns a Mistake with that text.
func Wrong(format string, args ...any) error { return Mistake{fmt.Errorf(format, args...)} }

// DoubleDashes converts flags with one dash for pflag: -var and -format=dot become --var and --format=dot. A value in
// an argument of its own is left unchanged.
func DoubleDashes(root *cobra.Command, args []string) []string {
	takesValue := valueFlags(root)
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && len(name) > 1 {
			arg = "-" + arg
		}
		out = append(out, arg)
		if strings.HasPrefix(arg, "--") && !hasValue && takesValue[name] && i+1 < len(args) {
			i++
			out = append(out, args[i])
		}
	}
	return out
}

// valueFlags returns the names of all flags that take a value.
func valueFlags(root *cobra.Command) map[string]bool {
	names := map[string]bool{}
	note := func(f *pflag.Flag) { names[f.Name] = f.NoOptDefVal == "" }
	root.PersistentFlags().VisitAll(note)
	for _, c := range root.Commands() {
		c.Flags().VisitAll(note)
	}
	return names
}

// FlagError turns pflag's error into a usage error that names the nearest flag.
func FlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &value):
		cause := value.Unwrap()
		var number *strconv.NumError
		if errors.As(cause, &number) {
			cause = fmt.Errorf("%q is not a whole number", number.Num)
		}
		return Wrong("-%s: %v", value.GetFlag().Name, cause)
	case errors.As(err, &missing):
		return Wrong("-%s: the value is missing", missing.GetSpecifiedName())
	case !errors.As(err, &unknown):
		return Mistake{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	name := unknown.GetSpecifiedName()
	return Wrong("unknown flag -%s%s", name, console.DidYouMean(name, names, "-"))
}

// Wants makes any other number of arguments a usage error.
func Wants(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch n := len(args); {
		case n == 0 && least > 0:
			return Wrong("want %s, got nothing", what)
		case n < least || n > most:
			return Wrong("want %s, got %s", what, console.Count(n, "argument"))
		}
		return nil
	}
}

// NoneEmpty refuses empty arguments and values. They come from shell variables without a value, and would mean
// something that the user did not intend.
func NoneEmpty(cmd *cobra.Command, args []string) error {
	if cmd.Name() == cobra.ShellCompRequestCmd || cmd.CalledAs() == cobra.ShellCompNoDescRequestCmd {
		return nil // an incomplete word
	}
	if i := slices.Index(args, ""); i >= 0 {
		return Wrong("argument %d is empty", i+1)
	}
	var bad error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		list, isList := f.Value.(pflag.SliceValue)
		if f.Value.Type() == "string" && f.Value.String() == "" || isList && (len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")) {
			bad = cmp.Or(bad, Wrong("-%s: the value is empty", f.Name))
		}
	})
	return bad
}
