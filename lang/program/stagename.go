package program

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// maxStageName is the longest name of a stage in bytes: it is also a folder's name.
const maxStageName = 100

// StageName returns an error if a stage cannot have the name: a run's folder has a folder with that name, on every
// system.
func StageName(name string) error {
	for i, r := range name {
		letter := r == '_' || unicode.IsLetter(r)
		if !letter && (i == 0 || r != '-' && !unicode.In(r, unicode.N, unicode.M, unicode.Pc)) {
			return errors.New("a stage's name has letters, digits, _ and -, and begins with a letter")
		}
	}
	switch {
	case name == "":
		return errors.New("a stage needs a name")
	case len(name) > maxStageName:
		return fmt.Errorf("a stage's name has at most %d bytes: its folder has the same", maxStageName)
	case reserved(strings.ToLower(name)):
		return fmt.Errorf("no stage can be named %q: its folder could not have that name", name)
	}
	return nil
}

// reserved names are those of the run ("lock") and of devices on Windows.
func reserved(name string) bool {
	switch name {
	case "lock", "con", "prn", "aux", "nul":
		return true
	}
	return len(name) == 4 && (name[:3] == "com" || name[:3] == "lpt") && name[3] >= '1' && name[3] <= '9'
}
