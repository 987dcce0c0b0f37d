package part

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// MostFolders is how deep folders may lie in the folder of a data set.
const MostFolders = 16

// Tree returns the names of all files in a folder and in those below it, sorted, without hidden ones. It follows links.
// Only names are read.
func Tree(fsys fs.FS, dir string) ([]string, error) {
	return tree(fsys, dir, 0, nil)
}

func tree(fsys fs.FS, dir string, depth int, names []string) ([]string, error) {
	if depth > MostFolders {
		return nil, fmt.Errorf("%s: more than %d folders deep; does a link lead in a circle?", dir, MostFolders)
	}
	files, folders, err := List(fsys, dir)
	if err != nil {
		return nil, err
	}
	names = slices.Grow(names, len(files))
	for _, f := range files {
		names = append(names, path.Join(dir, f))
	}
	for _, f := range folders {
		if names, err = tree(fsys, path.Join(dir, f), depth+1, names); err != nil {
			return nil, err
		}
	}
	if depth == 0 {
		slices.Sort(names)
	}
	return names, nil
}

// List returns the names of the files and of the folders in a folder, each sorted, without hidden ones. A link counts as
// what it leads to.
func List(fsys fs.FS, dir string) (files, folders []string, err error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(fsys, path.Join(dir, e.Name()))
			if err != nil {
				return nil, nil, err
			}
			isDir = info.IsDir()
		}
		if isDir {
			folders = append(folders, e.Name())
		} else {
			files = append(files, e.Name())
		}
	}
	return files, folders, nil
}
