package wire

import (
	"fmt"
	"reflect"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// plans are the fields of the message types in the order of their numbers, as far as they were needed.
type plans map[reflect.Type][]field

type field struct {
	number protowire.Number
	index  int // in the struct
	name   string
}

// of returns the plan of a struct type. A tag that is no number is a mistake in this package.
func (p plans) of(t reflect.Type) []field {
	if plan, ok := p[t]; ok {
		return plan
	}
	plan := make([]field, t.NumField())
	for i := range plan {
		number, err := strconv.Atoi(t.Field(i).Tag.Get("pb"))
		if err != nil {
			panic(fmt.Sprintf("wire: the field %s of %s: %v", t.Field(i).Name, t, err))
		}
		plan[i] = field{protowire.Number(number), i, t.Field(i).Name}
	}
	p[t] = plan
	return plan
}

func (p plans) find(t reflect.Type, n protowire.Number) (field, bool) {
	for _, f := range p.of(t) {
		if f.number == n {
			return f, true
		}
	}
	return field{}, false
}
