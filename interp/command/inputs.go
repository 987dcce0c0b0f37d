package command

import (
	"strings"

	"github.com/spf13/pflag"

	"qpipe/interp/console"
	"qpipe/lang/check"
)

// Inputs are the values for the pipeline's variables, in the order of the command line. A later one wins, whether it
// comes from -var or from -var-file.
type Inputs struct{ given *[]check.Var }

// Register adds the flags.
func (in *Inputs) Register(f *pflag.FlagSet) {
	in.given = new([]check.Var)
	f.Var(varFlag{in.given}, "var", "set a variable: `NAME=VALUE` (repeatable; also: QPIPE_VAR_NAME in the environment)")
	f.Var(varFileFlag{in.given}, "var-file", "set the variables in this `FILE` (repeatable; *.auto.qvars beside the pipeline are read automatically)")
}

// All returns what was given.
func (in Inputs) All() []check.Var {
	if in.given == nil {
		return nil
	}
	return *in.given
}

// Words returns the flags in a form that can be typed again.
func (in Inputs) Words() []string {
	var words []string
	for _, v := range in.All() {
		if v.File != "" {
			words = append(words, "-var-file", console.Quote(v.File))
		} else {
			words = append(words, "-var", console.Quote(v.Name+"="+v.Value))
		}
	}
	return words
}

// varFlag is -var.
type varFlag struct{ given *[]check.Var }

func (f varFlag) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return Wrong("want NAME=VALUE, got %q", s)
	}
	*f.given = append(*f.given, check.Var{Name: name, Value: value})
	return nil
}

func (varFlag) Type() string   { return "NAME=VALUE" }
func (varFlag) String() string { return "" }

// varFileFlag is -var-file.
type varFileFlag struct{ given *[]check.Var }

func (f varFileFlag) Set(s string) error {
	if s == "" {
		return Wrong("want the name of a file")
	}
	*f.given = append(*f.given, check.Var{File: s})
	return nil
}

func (varFileFlag) Type() string   { return "FILE" }
func (varFileFlag) String() string { return "" }
