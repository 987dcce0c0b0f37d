package notation

import (
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"qpipe/lang/program"
)

const scheduleHelp = `A schedule is "epoch 4", "step 1600", "every 2 epochs", "every 500 steps from 1000 to 4000", "start" or "end".`

type scheduleTree struct {
	Start bool       `parser:"  @'start'"`
	End   bool       `parser:"| @'end'"`
	Every *everyTree `parser:"| @@"`
	At    *pointTree `parser:"| @@"`
}

type pointTree struct {
	Unit  string     `parser:"@('epoch' | 'step')"`
	Point numberTree `parser:"@@"`
}

type everyTree struct {
	Count *numberTree `parser:"'every' @@?"`
	Unit  string      `parser:"@('epochs' | 'epoch' | 'steps' | 'step')"`
	From  *numberTree `parser:"('from' @@)?"`
	To    *numberTree `parser:"('to' @@)?"`
}

var scheduleParser = sync.OnceValue(func() *participle.Parser[scheduleTree] {
	return participle.MustBuild[scheduleTree](
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Int", Pattern: `[0-9]+`},
			{Name: "Word", Pattern: `[A-Za-z_][A-Za-z0-9_]*`},
			{Name: "Space", Pattern: ` +`},
		})),
		participle.Elide("Space"),
	)
})

// ScheduleEBNF returns the grammar of schedules.
func ScheduleEBNF() string { return ebnf(scheduleParser().String()) }

// Schedule parses a `when`. Without `from`, "every 2 epochs" acts when two
// epochs have been completed, then every two.
func Schedule(text string) (*program.Schedule, *Error) {
	tree, err := parse(scheduleParser(), text, "schedule", scheduleHelp)
	if err != nil {
		return nil, err
	}
	s := &program.Schedule{Text: text, Start: tree.Start, End: tree.End, To: -1}
	switch {
	case tree.At != nil:
		s.Unit = unit(tree.At.Unit)
		s.From, err = tree.At.Point.value(0, scheduleHelp)
	case tree.Every != nil:
		err = tree.Every.fill(s)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (t *everyTree) fill(s *program.Schedule) (err *Error) {
	s.Unit = unit(t.Unit)
	if s.Every, err = t.Count.value(1, scheduleHelp); err != nil {
		return err
	}
	if s.Every == 0 {
		return fail(t.Count.Pos.Offset, len(t.Count.Text), scheduleHelp, "every 0 %ss would never end", s.Unit)
	}
	if s.From, err = t.From.value(s.Every, scheduleHelp); err != nil {
		return err
	}
	if s.To, err = t.To.value(-1, scheduleHelp); err != nil {
		return err
	}
	if t.To != nil && s.To < s.From {
		return fail(t.To.Pos.Offset, len(t.To.Text), scheduleHelp, "the schedule ends at %s %d, before its first point %d", s.Unit, s.To, s.From)
	}
	return nil
}

func unit(word string) program.Unit {
	if word[0] == 's' {
		return program.Step
	}
	return program.Epoch
}
