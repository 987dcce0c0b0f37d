package statedict

import (
	"errors"
	"math"
)

// made pushes a class, what one makes, or a storage.
func (u *unpickler) made(op byte) bool {
	switch op {
	case 'c':
		module := u.line()
		u.push(&global{module, u.line()})
	case 0x93:
		name, module := text(u.pop()), text(u.pop())
		u.push(&global{module, name})
	case 'R', 0x81: // callable or class, arguments
		args := u.pop()
		u.push(call(u.pop(), args))
	case 0x92: // class, arguments, named arguments
		u.pop()
		args := u.pop()
		u.push(call(u.pop(), args))
	case 'o':
		if items := u.marked(); len(items) > 0 {
			u.push(call(items[0], &sequence{items[1:]}))
		} else {
			fail(errPickle)
		}
	case 'i':
		of := &global{u.line(), u.line()}
		u.push(call(of, &sequence{u.marked()}))
	case 'b': // an object's own values, which nothing here needs
		u.pop()
	case 'Q':
		u.push(u.persistent(u.pop()))
	default:
		return false
	}
	return true
}

func text(v any) string {
	s, ok := v.(string)
	if !ok {
		fail(errPickle)
	}
	return s
}

// call is what a class or function of PyTorch makes, if that is a part of a state dict; otherwise an object.
func call(of, args any) any {
	f, ok := of.(*global)
	if !ok {
		if o, is := of.(*object); is {
			return o
		}
		fail(errPickle)
	}
	list, _ := args.(*sequence)
	if list == nil {
		list = &sequence{}
	}
	switch f.module + "." + f.name {
	case "collections.OrderedDict", "builtins.dict":
		return ordered(list.items)
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
		return rebuilt(list.items)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		if len(list.items) > 0 {
			return list.items[0]
		}
	case "torch.Size":
		if len(list.items) == 1 {
			return list.items[0]
		}
	}
	return &object{f}
}

// ordered is a dict of pairs.
func ordered(args []any) any {
	d := &dict{}
	if len(args) == 0 {
		return d
	}
	if pairs, ok := args[0].(*sequence); ok {
		for _, p := range pairs.items {
			if kv, ok := p.(*sequence); ok && len(kv.items) == 2 {
				d.set(kv.items[0], kv.items[1])
			}
		}
	}
	return d
}

// rebuilt is a tensor: storage, offset, shape, strides, and more that does not matter.
func rebuilt(args []any) any {
	if len(args) < 4 {
		fail(errPickle)
	}
	of, ok := args[0].(*storage)
	offset, whole := integer(args[1])
	if !ok || !whole {
		fail(errPickle)
	}
	t, err := view(of, offset, integers(args[2]), integers(args[3]))
	if err != nil {
		fail(err)
	}
	return t
}

func integer(v any) (int, bool) {
	n, ok := v.(int64)
	return int(n), ok && n >= 0 && n <= math.MaxInt32
}

func integers(v any) []int {
	s, ok := v.(*sequence)
	if !ok {
		fail(errPickle)
	}
	list := make([]int, len(s.items))
	for i, x := range s.items {
		n, whole := integer(x)
		if !whole {
			fail(errPickle)
		}
		list[i] = n
	}
	return list
}

// persistent is what the pickle keeps outside of itself: a storage, as ("storage", class, key, place, elements), or the
// class of a module.
func (u *unpickler) persistent(id any) any {
	s, _ := id.(*sequence)
	if s == nil || len(s.items) < 2 {
		fail(errPickle)
	}
	if s.items[0] != "storage" {
		return s.items[1]
	}
	if len(s.items) < 5 || len(s.items) > 5 && s.items[5] != nil {
		fail(errors.New("a storage is part of another one, as very old files of PyTorch have it: load it there and save it again"))
	}
	class, _ := s.items[1].(*global)
	elements, ok := integer(s.items[4])
	if class == nil || !ok {
		fail(errPickle)
	}
	found, err := u.storage(text(s.items[2]), class.name, elements)
	if err != nil {
		fail(err)
	}
	return found
}
