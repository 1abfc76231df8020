package schema

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// NameByte reports whether a name of Avro may hold c.
func NameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
}

// ValidName reports whether a text is a name in Avro, without a namespace.
func ValidName(name string) bool {
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !NameByte(name[i]) {
			return false
		}
	}
	return true
}

// CheckName refuses what is no name in Avro, in the words of Java's Avro.
func CheckName(name string) error {
	switch {
	case ValidName(name):
		return nil
	case name == "":
		return data.Errorf("Empty name")
	case !NameByte(name[0]) || name[0] >= '0' && name[0] <= '9':
		return data.Errorf("Illegal initial character: %s", name)
	}
	return data.Errorf("Illegal character in: %s", name)
}

// Validate refuses what a registry refuses in a new schema, and readers let pass: a
// name that is none, or a default that does not fit its field.
func (s *Schema) Validate() error {
	return s.validate(make(map[*Schema]bool), new(fitting))
}

func (s *Schema) validate(seen map[*Schema]bool, check *fitting) error {
	if seen[s] {
		return nil
	}
	seen[s] = true
	if s.Type.Named() {
		names := append([]string{s.Name}, s.Symbols...)
		if s.Namespace != "" {
			names = append(names, strings.Split(s.Namespace, ".")...)
		}
		for _, name := range names {
			if err := CheckName(name); err != nil {
				return fmt.Errorf("the %s %s: %w", s.Type, s.FullName(), err)
			}
		}
	}
	if s.Elem != nil {
		return s.Elem.validate(seen, check)
	}
	for _, b := range s.Branches {
		if err := b.validate(seen, check); err != nil {
			return err
		}
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		if err := CheckName(f.Name); err != nil {
			return fmt.Errorf("the record %s: %w", s.FullName(), err)
		}
		if f.HasDefault && !check.fits(f.Schema, f.Default, 0) {
			return fmt.Errorf("Invalid default for field %s: %s not a %s", f.Name, AppendJSON(nil, f.Default), f.Schema.FullName())
		}
		if err := f.Schema.validate(seen, check); err != nil {
			return err
		}
	}
	return nil
}

// ValidDefault reports whether a JSON value may stand as the default of a field. Of
// a union it may be of any branch, as in Java's Avro; the specification has it since
// Avro 1.12.
func ValidDefault(s *Schema, v any) bool { return new(fitting).fits(s, v, 0) }

// maxSteps bounds how many values are looked at: through the defaults of its fields
// a small schema can stand for as many as one likes.
const maxSteps = 1_000_000

// fitting is a check of defaults.
type fitting struct{ steps int }

func (c *fitting) fits(s *Schema, v any, depth int) bool {
	c.steps++
	if depth++; depth > MaxDepth || c.steps > maxSteps {
		return false // mostly a record whose default needs the record's default
	}
	switch s.Type {
	case Null:
		return v == nil
	case Boolean:
		_, ok := v.(bool)
		return ok
	case Int, Long:
		n, ok := v.(json.Number)
		bits := 64
		if s.Type == Int {
			bits = 32
		}
		_, err := strconv.ParseInt(string(n), 10, bits)
		return ok && err == nil
	case Float, Double:
		_, ok := v.(json.Number)
		return ok || v == "NaN" || v == "Infinity" || v == "-Infinity" // which JSON has no number for
	case Bytes, String, Enum, Fixed:
		_, ok := v.(string)
		return ok
	case Array:
		list, ok := v.([]any)
		for _, e := range list {
			ok = ok && c.fits(s.Elem, e, depth)
		}
		return ok
	case Map:
		obj, ok := v.(Object)
		for _, m := range obj {
			ok = ok && c.fits(s.Elem, m.Value, depth)
		}
		return ok
	case Union:
		for _, b := range s.Branches {
			if c.fits(b, v, depth) {
				return true
			}
		}
		return false
	}
	obj, ok := v.(Object)
	for i := range s.Fields {
		if !ok {
			break
		}
		fd := &s.Fields[i]
		if m, has := obj.Get(fd.Name); has {
			ok = c.fits(fd.Schema, m, depth)
		} else {
			ok = fd.HasDefault && c.fits(fd.Schema, fd.Default, depth)
		}
	}
	return ok
}
