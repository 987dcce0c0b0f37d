package graph

import (
	"fmt"
	"runtime/debug"

	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// Rule is a row of the table of rules.
type Rule = diag.Rule[*Plan]

// Rules returns the table, in the order of the codes.
func Rules() []Rule {
	return []Rule{
		noData(),
		firesTooLate(),
		doesNotFit(),
		dataDiffer(),
		valuesDiffer(),
		classNames(),
		absentCheckpoint(),
		classCount(),
		spareClasses(),
		unknownMetric(),
		untrainedOutput(),
		softmaxTwice(),
		longWarmup(),
		sharedImages(),
		unquantized(),
		singleValue(),
		recoveryMismatch(),
		schedulePassed(),
		pointsPassed(),
		nothingLeft(),
		rateJumps(),
		noEffect(),
		otherValues(),
		averagedBest(),
		wrongDirection(),
		tooMuchMemory(),
		floatIslands(),
	}
}

// Judge applies all rules to a plan.
func Judge(p *Plan) diag.List {
	var list diag.List
	for _, r := range Rules() {
		list = append(list, guarded(r, p)...)
	}
	return list
}

// guarded applies one rule. If a part panics, it returns a diagnostic of the panic.
func guarded(r Rule, p *Plan) (list diag.List) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if p := part.Recovered(v); p != nil {
			list = diag.List{{Code: diag.BadPart, Summary: "a part fails: " + p.Error(), Detail: p.Detail(), Stack: string(p.Stack)}}
		} else {
			list = diag.List{{
				Code: diag.Bug, Summary: fmt.Sprintf("qpipe itself failed in the rule %q: %v", r.Name, v), Detail: string(debug.Stack()),
			}}
		}
	}()
	return diag.Apply([]Rule{r}, p, nil)
}

// Foretold returns the codes of the warnings that the run of a stage would give, and that rules give before the run.
func (p *Plan) Foretold(s *Stage) map[diag.Code]bool {
	told := map[diag.Code]bool{}
	for _, says := range []func(*Stage) (stage.Warning, bool){p.nothingLeft, p.rateUnused, p.rateJumps, p.somePassed} {
		if w, ok := says(s); ok {
			told[w.Code] = true
		}
	}
	return told
}

// warning turns a warning of the stage's run into a diagnostic.
func (s *Stage) warning(w stage.Warning, o program.Origin, at diag.Range) *diag.Diagnostic {
	return &diag.Diagnostic{Subject: at, Address: o.Address, Summary: w.Summary, Detail: w.Detail, Related: s.Past.related()}
}
