package cli

import "io"

// paint returns the painter for a stream: colours on a terminal that can show
// them, unless the user does not want any.
func (a *app) paint(w io.Writer) painter {
	return painter(!a.noColor && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" && isTerminal(w))
}

// display returns the one that suits the output: JSON lines, a bar, or plain lines.
func (a *app) display(asJSON bool) display { return newDisplay(a.out, a.Err, a.paint(a.Out), asJSON) }
