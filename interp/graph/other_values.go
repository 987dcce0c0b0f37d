package graph

import (
	"fmt"
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/diag"
)

func otherValues() Rule {
	return Rule{
		About: diag.About{
			Name: "other-values", Code: "QP335", Severity: diag.Warning,
			Summary: "a stage's images are normalized differently from those that its checkpoint was trained on",
			Doc:     "A network works only on the kind of values that it was trained on.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			said := map[[2]string]bool{}
			for _, s := range p.Stages {
				for _, l := range s.Loads {
					theirs, mine := l.values(), s.works()
					if mine == nil {
						continue
					}
					own := mine.Spec.Preprocessing()
					if i := part.OtherValues(own, theirs); i >= 0 {
						if d, pair := s.otherValues(l, own[i], theirs[i]); !said[pair] {
							said[pair] = true
							report(d)
						}
					}
				}
			}
		},
	}
}

// values returns the preprocessing of the data that a checkpoint was trained on, nil if unknown.
func (l *Load) values() []part.Preprocessing {
	if l.Up == nil {
		return l.Inputs
	}
	feed := l.Up.works()
	if feed == nil {
		return nil
	}
	return feed.Spec.Preprocessing()
}

// otherValues returns a warning about images that are normalized differently from the
// checkpoint's. pair has the two normalizations, sorted: the same pair is reported only once.
func (s *Stage) otherValues(l Load, own, theirs part.Preprocessing) (d *diag.Diagnostic, pair [2]string) {
	whence := l.From.Path
	var related []diag.Related
	if l.Up != nil {
		whence = fmt.Sprintf("stage %q", l.Up.Name)
		related = []diag.Related{{Message: "the images of that stage", Range: l.Up.works().Set.Origin.Header}}
	}
	pair = [2]string{own.Normalization(), theirs.Normalization()}
	slices.Sort(pair[:])
	return &diag.Diagnostic{
		Subject: s.works().Set.Origin.Header, Address: s.Origin.Address,
		Summary: fmt.Sprintf("the images of stage %q are normalized differently from those of %s, whose checkpoint it loads", s.Name, whence),
		Detail: fmt.Sprintf("They are normalized with %s, but the checkpoint was trained with %s. Give both data sets the same Normalize.",
			own.Normalization(), theirs.Normalization()),
		Related: append(related, diag.Related{Message: "the checkpoint is loaded here", Range: l.Call.Origin.At("checkpoint_path")}),
	}, pair
}
