package program

import "fmt"

// Source is the type of an argument that names another data set: `dataset.a`.
type Source struct {
	Name string   `json:"-"`
	Set  *Dataset `json:"-"` // nil until all data sets are decoded
}

// Sources returns the places of the data sets that an Args value names, with their paths: "datasets[1]". They are in lists,
// which the value shares with its copies, so that they can be set.
func Sources(args any) (paths []string, sources []*Source) {
	for path, a := range Walk(args) {
		if list, ok := a.Value.Interface().([]Source); ok {
			for i := range list {
				paths, sources = append(paths, fmt.Sprintf("%s[%d]", path, i)), append(sources, &list[i])
			}
		}
	}
	return paths, sources
}

// MostSources is of how many data sets one may be made, those that are in it several times counted as often.
const MostSources = 1000

// Link lets the sources of data sets point at the sets that they name. It returns the data sets at which a circle closes, and those made of
// too many others; their sources stay as they are. What is made of a data set with mistakes, or of one of these, is faulty, too.
func Link(sets []*Dataset) (circular, large []*Dataset) {
	byName, begun, size := map[string]*Dataset{}, map[*Dataset]bool{}, map[*Dataset]int{}
	for _, d := range sets {
		byName[d.Name] = d
	}
	var visit func(d *Dataset)
	visit = func(d *Dataset) {
		begun[d] = true
		n := 1
		_, sources := Sources(d.Args)
		for _, s := range sources {
			of := byName[s.Name]
			switch {
			case of == nil:
				continue
			case !begun[of]:
				visit(of)
			case size[of] == 0:
				circular, d.Faulty = append(circular, d), true
				continue
			}
			n = min(n+size[of], MostSources+1)
			if d.Faulty = d.Faulty || of.Faulty; !of.Faulty {
				s.Set = of
			}
		}
		if size[d] = n; n > MostSources && !d.Faulty {
			large, d.Faulty = append(large, d), true
		}
	}
	for _, d := range sets {
		if !begun[d] {
			visit(d)
		}
	}
	return circular, large
}
