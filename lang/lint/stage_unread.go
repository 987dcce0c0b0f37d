package lint

import (
	"fmt"

	"qpipe/lang/diag"
)

func stageUnread() Rule {
	return Rule{
		About: diag.About{
			Name: "stage-unread", Code: "QP263", Severity: diag.Warning,
			Summary: "nothing reads what the stage leaves",
			Doc: "A stage that trains or calibrates leaves a checkpoint for another one. The last stage is what the pipeline is for; " +
				"outputs, asserts and exports count as uses.",
		},
		Last: true,
		Check: func(p *Pipeline, report diag.Reporter) {
			read := map[string]bool{}
			for r := range p.references() {
				read[r.Stage] = true
			}
			for i, s := range p.Stages {
				if !s.trains() || read[s.Name] || i == len(p.Stages)-1 || len(s.Exports)+len(s.Conditions) > 0 {
					continue
				}
				report(found(at(s.Origin, ""),
					fmt.Sprintf("Load its checkpoint in a later stage (stage.%s.checkpoint.last), print a metric of it in an output, or remove it.", s.Name),
					"nothing reads what stage %q leaves", s.Name))
			}
		},
	}
}
