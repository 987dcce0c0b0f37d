package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/ops/kernel/sets"
)

// versionInfo is what `qpipe version -json` prints.
type versionInfo struct {
	Version string   `json:"version"`
	Commit  string   `json:"commit,omitempty"`
	Go      string   `json:"go"`
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Kernels string   `json:"kernels"`
	Sets    []string `json:"kernel_sets"`
	Cores   int      `json:"cores"`
}

func (a *app) versionCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the kernel set and the number of cores",
		Args:  command.Wants(0, 0, "no arguments"),
		RunE:  func(*cobra.Command, []string) error { return a.version(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a *app) version(asJSON bool) error {
	set, err := a.kernels()
	if err != nil {
		return err
	}
	v := versionInfo{
		Version: version, Commit: commit(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Kernels: set.Name, Sets: sets.Names(), Cores: runtime.NumCPU(),
	}
	if asJSON {
		return a.writeJSON(v)
	}
	fmt.Fprintf(a.Out, "qpipe %s\n", v.Version)
	if v.Commit != "" {
		fmt.Fprintf(a.Out, "commit   %s\n", v.Commit)
	}
	fmt.Fprintf(a.Out, "go       %s %s/%s\nkernels  %s\ncores    %d\n", v.Go, v.OS, v.Arch, v.Kernels, v.Cores)
	return nil
}

// version is the program's; it is part of every stage's hash.
const version = "0.1.0"

// commit is the revision that the binary was built from, "" if Go did not record it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// writeJSON prints v as one indented JSON document.
func (a *app) writeJSON(v any) error {
	enc := json.NewEncoder(a.out.Raw())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
