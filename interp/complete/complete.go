// Package complete has what a shell offers while a command line is typed: files, and the names of a pipeline's blocks.
package complete

import (
	"errors"

	"github.com/spf13/cobra"

	"qpipe/lang/files"
	"qpipe/lang/syntax"
)

// Pipeline offers .hcl files and folders.
func Pipeline(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"hcl"}, cobra.ShellCompDirectiveFilterFileExt
}

// Offer is what a shell asks while an argument or a value is typed.
type Offer = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// First offers files with these endings as the first argument, and then what next offers; all files if next is nil.
func First(next Offer, endings ...string) Offer {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return endings, cobra.ShellCompDirectiveFilterFileExt
		case next == nil:
			return nil, cobra.ShellCompDirectiveDefault
		}
		return next(cmd, args, word)
	}
}

// SecondDataset offers the data sets of the pipeline that is the second argument.
func SecondDataset(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return Dataset(cmd, args[1:], word)
}

// Stage offers the names of the stages of the pipeline on the command
// line.
func Stage(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return blockNames(args, "stage"), cobra.ShellCompDirectiveNoFileComp
}

// Model offers the names of the models of the pipeline on the command line.
func Model(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return blockNames(args, "model"), cobra.ShellCompDirectiveNoFileComp
}

// Dataset offers the data sets of the pipeline on the command line.
func Dataset(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, name := range blockNames(args, "dataset") {
		names = append(names, "dataset."+name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// blockNames are the names of the pipeline's blocks of a type. They are read from the text only, so completion also
// works for a file with mistakes, or with variables that have no value yet.
func blockNames(args []string, block string) []string {
	path := "."
	switch len(args) {
	case 0:
	case 1:
		path = args[0]
	default:
		return nil
	}
	if f, err := files.Open(path); err == nil {
		_ = f.Close()
	} else if !errors.Is(err, files.ErrFolder) {
		return nil // only the command itself may read a pipe
	}
	pipeline, _ := syntax.Parse(path)
	var names []string
	for _, f := range pipeline.Files {
		if f.Body == nil {
			continue
		}
		for _, b := range f.Body.Blocks {
			if n := len(b.Labels); b.Type == block && n > 0 {
				names = append(names, b.Labels[n-1])
			}
		}
	}
	return names
}
