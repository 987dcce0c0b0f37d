package cli

import (
	"io"

	"qpipe/interp/console"
	"qpipe/interp/view"
)

// paint returns the painter for a stream: colours on a terminal that can show
// them, unless the user does not want any.
func (a *app) paint(w io.Writer) console.Painter {
	return console.Painter(!a.noColor && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" && console.IsTerminal(w))
}

// columns is the width of text for people.
func (a *app) columns() int { return min(console.Width(a.Out), 100) }

// sheet returns an empty sheet for the output.
func (a *app) sheet() *view.Sheet { return view.NewSheet(a.paint(a.Out), a.columns()) }

// display returns the one that suits the output: JSON lines, a bar, or plain lines.
func (a *app) display(asJSON bool) console.Display {
	return console.New(a.out, a.Err, a.paint(a.Out), asJSON)
}
