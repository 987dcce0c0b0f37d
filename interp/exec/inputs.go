package exec

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/interp/graph"
	"qpipe/interp/netfile"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/program"
)

// inputs is everything that a stage's result depends on: names, and values as JSON. The hash
// of the inputs decides whether the stage is up to date. If it is not, the difference to
// the earlier inputs is the reason.
type inputs map[string]string

// put adds a value.
func (in inputs) put(key string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		data = fmt.Appendf(nil, "%q", fmt.Sprint(v))
	}
	in[key] = string(data)
}

// hash returns a hash of all inputs.
func (in inputs) hash() string {
	data, err := json.Marshal(in)
	if err != nil {
		return fmt.Sprint(in) // a map of strings is always JSON
	}
	return disk.Sum(data)
}

// call adds a part and its arguments. It leaves out an argument with the value skip, which is
// the folder of data: the content of the data matters, not its place.
func (in inputs) call(key string, c program.Call, skip string) {
	in.put(key, c.Type)
	for path, a := range program.Walk(c.Args) {
		switch value := a.Value.Interface(); {
		case a.Before != "" && fmt.Sprint(value) == a.Before: // so that a run of an earlier program is up to date
		case a.Block:
			in.put(key+"."+path, a.Labels)
		case skip == "" || value != skip:
			in.put(key+"."+path, value)
		}
	}
}

// inputs returns the inputs of a stage. The stages that it reads must be complete.
func (s *session) inputs(st *graph.Stage) (inputs, error) {
	in := inputs{}
	in.put("seed", s.prog.Settings.Seed)
	in.put("version", s.Version)
	in.put("kernels", s.Kernels.Name)
	afresh := s.Force && s.asked[st.Name]
	for key, v := range program.Inputs(st.Stage) {
		var err error
		switch v := v.(type) {
		case program.Call:
			in.call(key, v, "")
		case *program.Model:
			err = s.model(in, key, v, afresh)
		case *program.Dataset:
			err = s.dataset(in, key, v, afresh)
		default:
			in.put(key, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return in, s.checkpoints(in, st)
}

// model adds a model and its files.
func (s *session) model(in inputs, key string, m *program.Model, afresh bool) error {
	model, err := part.New[part.Model](s.plan.Catalog, m.Call)
	if err != nil {
		return place.At(m.Origin, err)
	}
	from, ok := model.(part.FileModel)
	if !ok {
		in.call(key, m.Call, "")
		return nil
	}
	root, names, err := part.FilesOf(from)
	if err != nil {
		return place.At(m.Origin, &part.Fault{Call: m.Call, Err: err})
	}
	in.call(key, m.Call, root)
	sums, err := s.digests(root, names, afresh)
	if err != nil {
		return place.At(m.Origin, err)
	}
	in.put(key+".files", sums)
	return nil
}

// dataset adds a data set, its transforms and its files.
func (s *session) dataset(in inputs, key string, d *program.Dataset, afresh bool) error {
	set, err := part.New[part.Dataset](s.plan.Catalog, d.Call)
	if err != nil {
		return place.At(d.Origin, err)
	}
	root, names, err := part.FilesOf(set)
	if err != nil {
		return place.At(d.Origin, &part.Fault{Call: d.Call, Err: err})
	}
	in.call(key, d.Call, root)
	for i, t := range d.Transforms {
		in.call(fmt.Sprintf("%s.transform[%d]", key, i), t, "")
	}
	paths, sources := program.Sources(d.Args)
	for i, of := range sources {
		if err := s.dataset(in, key+"."+paths[i], of.Set, afresh); err != nil {
			return err
		}
	}
	together, many, err := part.Listed(set, s.data)
	if err != nil {
		return place.Unreadable(d.Origin, &part.Fault{Call: d.Call, Err: err})
	}
	if len(names)+len(many) == 0 {
		return nil
	}
	sums, err := s.digests(root, names, afresh)
	if err == nil && len(many) > 0 {
		sums[together], err = s.sums.Together(s.data(root), s.resolve(root), together, many, afresh)
	}
	if err != nil {
		return place.At(d.Origin, err)
	}
	in.put(key+".files", sums)
	return nil
}

// checkpoints adds the checkpoints that the stage loads.
func (s *session) checkpoints(in inputs, st *graph.Stage) error {
	for _, c := range graph.Calls(st.Stage) {
		for _, from := range loads(c) {
			if from.Stage != "" {
				key := fmt.Sprintf("stage.%s.checkpoint.%s", from.Stage, from.Which)
				if f := s.manifest.Stage(from.Stage).Artifact(from.Which); f != nil {
					in.put(key, f.SHA256)
				}
				continue
			}
			if err := s.weights(in, from.Path); err != nil {
				return place.AtArg(c.Origin, "checkpoint_path", err)
			}
		}
	}
	return nil
}

// weights adds a file of weights, and those beside an ONNX file that have some of its weights.
func (s *session) weights(in inputs, path string) error {
	full := s.resolve(path)
	sum, err := artifact.Sum(full)
	if err != nil {
		return err
	}
	in.put("file "+path, sum)
	if !netfile.Is(path) {
		return nil
	}
	beside, err := netfile.Beside(full)
	for _, name := range beside {
		if err == nil {
			sum, err = artifact.Sum(filepath.Join(filepath.Dir(full), name))
			in.put("file "+path+": "+name, sum)
		}
	}
	return err
}

// loads lists the checkpoints that a part's arguments name.
func loads(c program.Call) (out []program.Checkpoint) {
	for _, from := range program.Checkpoints(c.Args) {
		if from != (program.Checkpoint{}) {
			out = append(out, from)
		}
	}
	return out
}

// resolve turns a path in the pipeline's text into one that can be opened.
func (s *session) resolve(path string) string { return s.prog.Path(path) }

// changes describes how the inputs differ from those of an earlier run.
func (in inputs) changes(old inputs, ran map[string]string) string {
	keys := map[string]bool{}
	for k := range maps.Keys(in) {
		keys[k] = keys[k] || in[k] != old[k]
	}
	for k := range maps.Keys(old) {
		keys[k] = keys[k] || in[k] != old[k]
	}
	var differ []string
	for k, d := range keys {
		if d {
			differ = append(differ, k)
		}
	}
	if len(differ) == 0 {
		return ""
	}
	slices.SortFunc(differ, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	text := in.change(differ[0], old, ran)
	switch len(differ) {
	case 1:
		return text
	case 2:
		return text + ", and one more change"
	}
	return fmt.Sprintf("%s, and %d more changes", text, len(differ)-1)
}

// rank orders changes: first what the user has edited in the text, then files, other stages and the program.
func rank(key string) int {
	switch {
	case key == "version", key == "kernels":
		return 3
	case strings.HasPrefix(key, "stage."), strings.HasPrefix(key, "file "):
		return 2
	case strings.HasSuffix(key, ".files"):
		return 1
	}
	return 0
}

// change describes the change of one input.
func (in inputs) change(key string, old inputs, ran map[string]string) string {
	was, had := old[key]
	is, has := in[key]
	switch {
	case strings.HasPrefix(key, "stage."):
		name, which, _ := strings.Cut(strings.TrimPrefix(key, "stage."), ".checkpoint.")
		if ran[name] == Ran {
			return fmt.Sprintf("stage %s was run again", name)
		}
		return fmt.Sprintf("checkpoint %s of stage %s changed", which, name)
	case strings.HasPrefix(key, "file "):
		return fmt.Sprintf("%s changed", strings.TrimPrefix(key, "file "))
	case strings.HasSuffix(key, ".files"):
		return fmt.Sprintf("the files of %s changed", strings.TrimSuffix(key, ".files"))
	case !had:
		return key + " was added"
	case !has:
		return key + " was removed"
	}
	return fmt.Sprintf("%s changed from %s to %s", key, bare(was), bare(is))
}

// bare removes the quotes of a JSON string.
func bare(text string) string {
	var s string
	if json.Unmarshal([]byte(text), &s) == nil {
		return s
	}
	return text
}
