package cli

import "io"

// paint returns the painter for a stream: colours on a terminal that can show
// them, unless the user does not want any.
func (a *app) paint(w io.Writer) painter {
	return painter(!a.noColor && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" && isTerminal(w))
}

// display returns the one that suits the output: JSON lines, a bar, or plain lines.
func (a *app) display(asJSON bool) display {
	n := &narrator{paint: a.paint(a.Out), stages: map[string]*extent{}}
	switch {
	case asJSON:
		return newJSONLines(a.out.raw(), a.Err)
	case isTerminal(a.Out) && !a.out.screen.dumb:
		a.out.screen.colour = bool(n.paint)
		return newBars(a.out, n)
	default:
		return &plainLines{out: a.Out, err: a.Err, narrator: n}
	}
}
