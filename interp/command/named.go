package command

import (
	"slices"
	"strings"

	"qpipe/interp/console"
	"qpipe/lang/program"
)

// Dataset finds the data set that -data names.
func Dataset(p *program.Program, address string) (*program.Dataset, error) {
	var all []string
	for _, d := range p.Datasets {
		all = append(all, "dataset."+d.Name)
		if address == all[len(all)-1] {
			return d, nil
		}
	}
	switch have := strings.Join(all, ", "); {
	case len(all) == 0:
		return nil, Wrong("-data: the pipeline has no data set")
	case address == "":
		return nil, Wrong("on which data set? -data names one of %s", have)
	default:
		return nil, Wrong("-data: the pipeline has no %s; it has %s%s", address, have, console.DidYouMean(address, all, ""))
	}
}

// Model finds the model that -model names; without the flag it is the stage's.
func Model(p *program.Program, name string, ofStage *program.Model) (*program.Model, error) {
	if name == "" {
		return ofStage, nil
	}
	var all []string
	for _, m := range p.Models {
		all = append(all, m.Name)
	}
	i := slices.Index(all, name)
	switch {
	case i < 0:
		return nil, Wrong("-model: the pipeline has no model %q%s", name, console.DidYouMean(name, all, ""))
	case ofStage != nil && p.Models[i] != ofStage:
		return nil, Wrong("-stage: its model is %q, not %q", ofStage.Name, name)
	}
	return p.Models[i], nil
}
