package scope

import (
	"fmt"

	"qpipe/lang/diag"
)

// At is where a message belongs: a block's address and a place in the text.
type At struct {
	Address string
	Subject diag.Range
	Context diag.Range
}

func (s *Scope) report(sev diag.Severity, code diag.Code, p At, detail, format string, a ...any) *diag.Diagnostic {
	d := &diag.Diagnostic{
		Code: code, Severity: sev, Summary: fmt.Sprintf(format, a...), Detail: detail,
		Address: p.Address, Subject: p.Subject, Context: p.Context,
	}
	s.List = append(s.List, d)
	return d
}

// Errorf reports an error; with the result more can be said of it.
func (s *Scope) Errorf(code diag.Code, p At, detail, format string, a ...any) *diag.Diagnostic {
	return s.report(diag.Error, code, p, detail, format, a...)
}

// Warnf reports a warning.
func (s *Scope) Warnf(code diag.Code, p At, detail, format string, a ...any) *diag.Diagnostic {
	return s.report(diag.Warning, code, p, detail, format, a...)
}

// Add takes over diagnostics from the layers below and gives them the address.
func (s *Scope) Add(address string, list diag.List) bool {
	for _, d := range list {
		if d.Address == "" {
			d.Address = address
		}
	}
	s.List = append(s.List, list...)
	return !list.HasErrors()
}
