package lint

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func oneBest() Rule {
	return Rule{
		About: diag.About{
			Name: "one-best", Code: diag.DuplicateBlock,
			Summary: "two callbacks keep the best checkpoint of a stage",
			Doc:     "A stage has one best checkpoint, so one callback says which it is.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			var first *program.Callback
			for i := range s.Callbacks {
				cb := &s.Callbacks[i]
				if k, ok := cb.Args.(program.BestKeeper); !ok || !k.KeepsBest() || cb.Faulty {
					continue
				}
				if first == nil {
					first = cb
					continue
				}
				d := found(at(cb.Origin, "monitor"), `Keep one of the two, or give one of them monitor = "".`,
					"a second callback keeps the best checkpoint of stage %q", s.Name)
				report(related(d, "the first is here", first.Origin.Header))
			}
		}),
	}
}
