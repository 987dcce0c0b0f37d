package subset

import (
	"slices"
	"strconv"
	"strings"

	"qpipe/interp/part"
)

// ValidNames checks the argument class_names of a data set of n classes; it may be empty.
func ValidNames(names []string, n int) error {
	if len(names) == 0 {
		return nil
	}
	if len(names) != n {
		return part.Bad("class_names", "%s for %s; give one for every label, label 0 first", part.Count(len(names), "name"), part.Count(n, "class"))
	}
	for i, name := range names {
		if strings.TrimSpace(name) == "" {
			return part.Bad("class_names", "the name of label %d is empty", i)
		}
		if slices.Contains(names[:i], name) {
			return part.Bad("class_names", "%q is there twice", name)
		}
	}
	return nil
}

// Labels turns labels, as they are written, into numbers. all has those of all splits, and names the classes if they are
// given: a label is one of them, or its number. Without names, labels that are all numbers are taken as they are, and others are
// sorted. It returns the number of classes and their names, which numbers have none of; bad is the index of a label that is no
// class, -1 if there is none.
func Labels(labels, all, names []string) (numbers []int32, classes int, of []string, bad int) {
	classes = mostNumber(all)
	switch {
	case len(names) == 0 && classes > 0:
	case len(names) == 0:
		names = slices.Compact(slices.Sorted(slices.Values(all)))
		classes = len(names)
	case classes == 0 || classes > len(names) || slices.ContainsFunc(all, func(label string) bool { return slices.Contains(names, label) }):
		classes = len(names)
	default: // numbers of classes with names
		of, classes = names, len(names)
		names = nil
	}
	at := map[string]int{}
	for i, name := range names {
		at[name] = i
	}
	numbers = make([]int32, len(labels))
	for i, label := range labels {
		n, ok := at[label]
		if len(names) == 0 {
			n, _ = strconv.Atoi(label)
		} else if !ok {
			return nil, 0, nil, i
		}
		numbers[i] = int32(n)
	}
	if len(names) > 0 {
		of = names
	}
	return numbers, classes, of, -1
}

// mostNumber is one more than the largest label, if all are written as whole numbers from 0 on, else 0.
func mostNumber(labels []string) int {
	most := 0
	for _, label := range labels {
		n, err := strconv.Atoi(label)
		if err != nil || n < 0 || n >= 1<<20 || strconv.Itoa(n) != label {
			return 0
		}
		most = max(most, n+1)
	}
	return most
}
