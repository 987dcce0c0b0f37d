package model

import "fmt"

// Type is the type of a tensor's elements, by ONNX's number.
type Type int32

// The types of elements that tensors can have here.
const (
	Float    Type = 1
	Uint8    Type = 2
	Int8     Type = 3
	Uint16   Type = 4
	Int16    Type = 5
	Int32    Type = 6
	Int64    Type = 7
	Bool     Type = 9
	Float16  Type = 10
	Double   Type = 11
	Uint32   Type = 12
	Uint64   Type = 13
	BFloat16 Type = 16
	Uint4    Type = 21
	Int4     Type = 22
)

// typeRow is what is known of a type. Those without bits are named in messages only.
type typeRow struct {
	name string
	bits int
}

func (t Type) row() typeRow {
	rows := [...]typeRow{
		Float: {"float", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8}, Uint16: {"uint16", 16}, Int16: {"int16", 16},
		Int32: {"int32", 32}, Int64: {"int64", 64}, 8: {"string", 0}, Bool: {"bool", 8}, Float16: {"float16", 16},
		Double: {"double", 64}, Uint32: {"uint32", 32}, Uint64: {"uint64", 64}, 14: {"complex64", 0},
		15: {"complex128", 0}, BFloat16: {"bfloat16", 16}, 17: {"float8e4m3fn", 0}, 18: {"float8e4m3fnuz", 0},
		19: {"float8e5m2", 0}, 20: {"float8e5m2fnuz", 0}, Uint4: {"uint4", 4}, Int4: {"int4", 4},
		23: {"float4e2m1", 0}, 24: {"float8e8m0", 0}, 25: {"uint2", 0}, 26: {"int2", 0},
	}
	if t < 0 || int(t) >= len(rows) {
		return typeRow{}
	}
	return rows[t]
}

// Bits is the size of an element; 0 for a type that tensors cannot have here.
func (t Type) Bits() int { return t.row().bits }

// Float reports whether the type has fractions.
func (t Type) Float() bool { return t == Float || t == Double || t == Float16 || t == BFloat16 }

func (t Type) String() string {
	if name := t.row().name; name != "" {
		return name
	}
	return fmt.Sprintf("type number %d", int32(t))
}
