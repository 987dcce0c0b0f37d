package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	switch {
	case errors.As(err, &value):
		cause := value.Unwrap()
		var number *strconv.NumError
		if errors.As(cause, &number) {
			cause = fmt.Errorf("%q is not a whole number", number.Num)
		}
		return usagef("-%s: %v", value.GetFlag().Name, cause)
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

// args wraps cobra's count of arguments so that a wrong one is a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
