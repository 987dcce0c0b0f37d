package lint

import "iter"

// references yields what stages and outputs refer to, in the order of the text: stages first.
func (p *Pipeline) references() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for _, s := range p.Stages {
			for _, r := range s.Refs {
				if !yield(r) {
					return
				}
			}
		}
		for _, o := range p.Outputs {
			refs := o.Refs
			for _, c := range o.Conditions {
				refs = append(refs[:len(refs):len(refs)], c.Refs...)
			}
			for _, r := range refs {
				if !yield(Ref{r, o.Origin.Address}) {
					return
				}
			}
		}
	}
}
