package quant

import (
	"fmt"
	"slices"
	"strings"
)

// dtypes, schemes, rules and roundings are the names as pipelines write them.
func dtypes() []string    { return []string{"float32", "int4", "int8", "int16", "uint8"} }
func schemes() []string   { return []string{"symmetric", "affine"} }
func rules() []string     { return []string{"max", "half_range"} }
func roundings() []string { return []string{"half_even", "half_up"} }

// ParseDType returns the type of that name.
func ParseDType(s string) (DType, error) { return parse[DType]("dtype", s, dtypes()) }

// ParseScheme returns the scheme of that name.
func ParseScheme(s string) (Scheme, error) { return parse[Scheme]("scheme", s, schemes()) }

// ParseScaleRule returns the rule of that name.
func ParseScaleRule(s string) (ScaleRule, error) { return parse[ScaleRule]("scale rule", s, rules()) }

// ParseRounding returns the rounding of that name.
func ParseRounding(s string) (Rounding, error) { return parse[Rounding]("rounding", s, roundings()) }

// String returns the name as pipelines write it.
func (d DType) String() string { return name(d, dtypes()) }

// String returns the name as pipelines write it.
func (s Scheme) String() string { return name(s, schemes()) }

// String returns the name as pipelines write it.
func (r ScaleRule) String() string { return name(r, rules()) }

// String returns the name as pipelines write it.
func (r Rounding) String() string { return name(r, roundings()) }

// MarshalText writes the name, so that JSON has "int8" and not 2.
func (d DType) MarshalText() ([]byte, error) { return marshal(d, dtypes()) }

// MarshalText writes the name.
func (s Scheme) MarshalText() ([]byte, error) { return marshal(s, schemes()) }

// MarshalText writes the name.
func (r ScaleRule) MarshalText() ([]byte, error) { return marshal(r, rules()) }

// MarshalText writes the name.
func (r Rounding) MarshalText() ([]byte, error) { return marshal(r, roundings()) }

// UnmarshalText reads a name.
func (d *DType) UnmarshalText(b []byte) (err error) { *d, err = ParseDType(string(b)); return err }

// UnmarshalText reads a name.
func (s *Scheme) UnmarshalText(b []byte) (err error) { *s, err = ParseScheme(string(b)); return err }

// UnmarshalText reads a name.
func (r *ScaleRule) UnmarshalText(b []byte) (err error) {
	*r, err = ParseScaleRule(string(b))
	return err
}

// UnmarshalText reads a name.
func (r *Rounding) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRounding(string(b))
	return err
}

func parse[T ~uint8](what, s string, names []string) (T, error) {
	i := slices.Index(names, s)
	if i < 0 {
		return 0, fmt.Errorf("unknown %s %q; there are %s", what, s, strings.Join(names, ", "))
	}
	return T(i), nil
}

func name[T ~uint8](v T, names []string) string {
	if int(v) >= len(names) {
		return fmt.Sprintf("unknown(%d)", uint8(v))
	}
	return names[v]
}

func marshal[T ~uint8](v T, names []string) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("no name for the value %d; there are %s", uint8(v), strings.Join(names, ", "))
	}
	return []byte(names[v]), nil
}
