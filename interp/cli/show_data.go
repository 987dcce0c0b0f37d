package cli

import (
	"fmt"
	"time"

	"qpipe/interp/command"
	"qpipe/interp/survey"
	"qpipe/interp/view"
	"qpipe/lang/diag"
	"qpipe/lang/files"
)

// dataDocument is what `show -json dataset.NAME` prints.
type dataDocument struct {
	FormatVersion string `json:"format_version"`
	*survey.Survey
	diag.Items
}

// showData shows a data set of a pipeline.
func (a *app) showData(f showFlags, name string, args []string) error {
	if f.images < 0 {
		return command.Wrong("-images must not be negative")
	}
	path, err := one(args)
	if err != nil {
		return err
	}
	l, err := a.checked(path, f.Inputs, f.json)
	if err != nil {
		return err
	}
	d, err := command.Dataset(l.program, name)
	if err != nil {
		return err
	}
	s, list := survey.Run(l.program, a.catalog, survey.Options{Data: d, Images: f.images, PNG: f.png, Clock: time.Now, FS: files.Folder})
	doc := dataDocument{diag.FormatVersion, s, diag.NewItems(list, l.files.Source)}
	return a.outcome(f.json, s != nil, doc, list, l.files.Source, func(sheet *view.Sheet) {
		sheet.Data(s)
		if f.png != "" {
			fmt.Fprintf(sheet, "\nDrawn: %s\n", f.png)
		}
	})
}
