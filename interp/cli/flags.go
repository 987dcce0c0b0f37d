package cli

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
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// doubleDashes lets the HCL family's way of writing flags work: -var and
// -format=dot become --var and --format=dot, which is what pflag reads. A value
// that stands in an argument of its own is left as it is.
func doubleDashes(root *cobra.Command, args []string) []string {
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

// valueFlags returns the names of all flags that want a value.
func valueFlags(root *cobra.Command) map[string]bool {
	names := map[string]bool{}
	note := func(f *pflag.Flag) { names[f.Name] = f.NoOptDefVal == "" }
	root.PersistentFlags().VisitAll(note)
	for _, c := range root.Commands() {
		c.Flags().VisitAll(note)
	}
	return names
}

// flagError turns pflag's error into a usage error that names the nearest flag.
func flagError(cmd *cobra.Command, err error) error {
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
		return usagef("-%s: %v", value.GetFlag().Name, cause)
	case errors.As(err, &missing):
		return usagef("-%s: the value is missing", missing.GetSpecifiedName())
	case !errors.As(err, &unknown):
		return usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	name := unknown.GetSpecifiedName()
	return usagef("unknown flag -%s%s", name, didYouMean(name, names, "-"))
}

// threadsFlag checks a -threads flag: 0 is the default.
func threadsFlag(n int) error {
	if n < 0 || n > program.MostThreads {
		return usagef("-threads: %d is not a number from 0 (the default) to %d", n, program.MostThreads)
	}
	return nil
}

// batchFlag checks a -batch flag.
func batchFlag(n, least, most int) error {
	if n < least || n > most {
		return usagef("-batch: %d is not a number from %d to %d", n, least, most)
	}
	return nil
}

// didYouMean is the end of a message about an unknown word.
func didYouMean(word string, words []string, prefix string) string {
	if near := diag.Nearest(word, words); near != "" {
		return fmt.Sprintf("; did you mean %q?", prefix+near)
	}
	return ""
}

// wants makes another number of arguments a usage error.
func wants(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch n := len(args); {
		case n == 0 && least > 0:
			return usagef("want %s, got nothing", what)
		case n < least || n > most:
			return usagef("want %s, got %s", what, console.Count(n, "argument"))
		}
		return nil
	}
}

// noneEmpty refuses empty arguments and values: they come from variables of a shell that have
// no value, and would be taken for something else that was not said.
func noneEmpty(cmd *cobra.Command, args []string) error {
	if cmd.Name() == cobra.ShellCompRequestCmd || cmd.CalledAs() == cobra.ShellCompNoDescRequestCmd {
		return nil // a word that is not begun yet
	}
	if i := slices.Index(args, ""); i >= 0 {
		return usagef("argument %d is empty", i+1)
	}
	var bad error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		list, isList := f.Value.(pflag.SliceValue)
		if f.Value.Type() == "string" && f.Value.String() == "" || isList && (len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")) {
			bad = cmp.Or(bad, usagef("-%s: the value is empty", f.Name))
		}
	})
	return bad
}
