package manual

import (
	"fmt"
	"strings"

	"qpipe/interp/console"
	"qpipe/lang/notation"
	"qpipe/lang/program"
)

// Topic is a page of help that does not belong to a command.
type Topic struct {
	Name, Short string
	Text        func(columns int) string // built when it is needed
}

// Topics are all of them.
func (m Manual) Topics() []Topic {
	fixed := func(text func() string) func(int) string { return func(int) string { return text() } }
	return []Topic{
		{"qconfig", "the attributes of `activation` and `weight`", m.qconfig},
		{"schedules", "the notation of `when`", fixed(func() string {
			return "A schedule says when a callback acts. Points count from 0 and name the moment before\n" +
				"the epoch or step of that number.\n\n" + notation.ScheduleEBNF() + "\n"
		})},
		{"selectors", "the notation of `modules` and `override`", fixed(func() string {
			return "A selector names nodes of the network: a module and all that is below it.\n\n" + notation.SelectorEBNF() + "\n"
		})},
		{"environment", "the environment variables that qpipe uses", fixed(func() string { return environment })},
	}
}

const environment = `QPIPE_VAR_NAME   the value of the pipeline's variable NAME; -var and *.auto.qvars are stronger
QPIPE_KERNELS    the kernel set: one of those that "qpipe version -json" lists
QPIPE_DEBUG      1: where the code of a part has panicked, its stack is printed, too
NO_COLOR         no colours, if it is not empty

Exit codes: 0 fine; 1 the pipeline is wrong or a stage failed; 2 the command line is wrong,
or plan -detailed-exitcode found something to do; 3 a bug in qpipe, or fmt -check found a
file that is not formatted; 130 interrupted, with a checkpoint, or nobody
reads the output of a run any more.
`

// qconfig is the table of attributes for a terminal.
func (m Manual) qconfig(columns int) string {
	var rows [][2]string
	for _, q := range program.QuantAttributes() {
		text := fmt.Sprintf("%s Values: %s. ", q.Doc, m.quantValues(q))
		switch {
		case q.Weight == "":
			text += fmt.Sprintf("In activation alone, default %s.", asWritten(q, q.Activation))
		case q.Activation == "":
			text += fmt.Sprintf("In weight alone, default %s.", asWritten(q, q.Weight))
		default:
			text += fmt.Sprintf("Default %s.", asWritten(q, q.Activation))
		}
		rows = append(rows, [2]string{q.Name, strings.ReplaceAll(text, "`", "")})
	}
	return "A qconfig says how nodes are quantized: activation {} their outputs, weight {} the weights of\n" +
		"convolutions and linear layers; override \"selector\" {} changes some attributes for some nodes.\n\n  " +
		strings.Join(console.TwoColumns(rows, columns), "\n  ") +
		"\n\nThe scale of a weight follows from its current values: nothing observes it. An observer's arguments:\nqpipe parts NAME.\n"
}
