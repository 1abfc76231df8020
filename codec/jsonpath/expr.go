package jsonpath

import (
	"cmp"
	"math/big"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javaregex"
)

// expr is a condition of a filter.
type expr interface {
	eval(e *evaluation, at data.Value) bool
}

type (
	and    struct{ a, b expr }
	or     struct{ a, b expr }
	not    struct{ a expr }
	exists struct{ path *Path }

	// comparison compares two operands. What is not there is equal to nothing,
	// differs from nothing and is less than nothing.
	comparison struct {
		op   string
		a, b operand
	}
	matches struct {
		a       operand
		pattern *javaregex.Pattern
	}
	// among is the operators in and nin.
	among struct {
		a    operand
		list []operand
		in   bool
	}
)

// operand is a path or a literal.
type operand struct {
	path  *Path
	value data.Value
}

func (x and) eval(e *evaluation, at data.Value) bool { return x.a.eval(e, at) && x.b.eval(e, at) }
func (x or) eval(e *evaluation, at data.Value) bool  { return x.a.eval(e, at) || x.b.eval(e, at) }
func (x not) eval(e *evaluation, at data.Value) bool { return !x.a.eval(e, at) }

func (x exists) eval(e *evaluation, at data.Value) bool {
	found, ok := e.find(x.path, at)
	return ok && len(found) > 0
}

// get returns the operand's value. Of a path that may lead to several it is the
// array of them.
func (o operand) get(e *evaluation, at data.Value) (data.Value, bool) {
	if o.path == nil {
		return o.value, true
	}
	found, ok := e.find(o.path, at)
	switch {
	case !ok:
		return data.Null, false
	case !o.path.definite:
		return data.OfArray(found), true
	case len(found) == 0:
		return data.Null, false
	}
	return found[0], true
}

func (x comparison) eval(e *evaluation, at data.Value) bool {
	a, ok := x.a.get(e, at)
	if !ok {
		return false
	}
	b, ok := x.b.get(e, at)
	if !ok {
		return false
	}
	switch x.op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	}
	c, ok := order(a, b)
	if !ok {
		return false
	}
	switch x.op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func (x matches) eval(e *evaluation, at data.Value) bool {
	a, ok := x.a.get(e, at)
	if !ok || a.IsNull() {
		return false
	}
	return x.pattern.MatchString(a.String())
}

func (x among) eval(e *evaluation, at data.Value) bool {
	a, ok := x.a.get(e, at)
	if !ok {
		return false
	}
	for _, o := range x.list {
		b, ok := o.get(e, at)
		if !ok {
			continue
		}
		if o.path != nil && b.Kind() == data.KindArray {
			for _, c := range b.Elems() {
				if equal(a, c) {
					return x.in
				}
			}
			continue
		}
		if equal(a, b) {
			return x.in
		}
	}
	return !x.in
}

// equal compares numbers by their size whatever their types, also with a text
// that is a number.
func equal(a, b data.Value) bool {
	if number(a) || number(b) {
		c, ok := compareNumbers(a, b)
		return ok && c == 0
	}
	return a.Equal(b)
}

// order compares two numbers or two texts.
func order(a, b data.Value) (int, bool) {
	if a.Kind() == data.KindString && b.Kind() == data.KindString {
		return strings.Compare(a.Str(), b.Str()), true
	}
	if !number(a) || !number(b) {
		return 0, false
	}
	if integer(a) && integer(b) {
		return cmp.Compare(a.Int(), b.Int()), true
	}
	return compareNumbers(a, b)
}

// compareNumbers compares exactly, but with a float as floats: 0.1 is 0.1 in a
// path as it is in a record.
func compareNumbers(a, b data.Value) (int, bool) {
	x, y := rational(a), rational(b)
	if x == nil || y == nil {
		return 0, false
	}
	if float(a) || float(b) {
		f, _ := x.Float64()
		g, _ := y.Float64()
		return cmp.Compare(f, g), true
	}
	return x.Cmp(y), true
}

func float(v data.Value) bool { return v.Kind() == data.KindFloat32 || v.Kind() == data.KindFloat64 }

func integer(v data.Value) bool {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindDate:
		return true
	}
	return false
}

func number(v data.Value) bool {
	switch v.Kind() {
	case data.KindFloat32, data.KindFloat64, data.KindDecimal:
		return true
	}
	return integer(v)
}

// maxText is how long a text may be that is read as a number, and maxScale how
// many digits a power of ten may bring: what is larger is no number here.
const (
	maxText  = 64
	maxScale = 400
)

// rational returns a number exactly; nil for what is none, NaN and infinities.
func rational(v data.Value) *big.Rat {
	switch {
	case integer(v):
		return new(big.Rat).SetInt64(v.Int())
	case float(v):
		return new(big.Rat).SetFloat64(v.Float())
	case v.Kind() == data.KindDecimal:
		d := v.Decimal()
		if d.Scale > maxScale || d.Scale < -maxScale {
			return nil
		}
		ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.Scale, -d.Scale))), nil)
		if d.Scale >= 0 {
			return new(big.Rat).SetFrac(d.Unscaled, ten)
		}
		return new(big.Rat).SetInt(ten.Mul(ten, d.Unscaled))
	case v.Kind() == data.KindString:
		text := v.Str()
		if len(text) > maxText || strings.ContainsAny(text, "/_xXpPbBoO") {
			return nil
		}
		if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 4 {
			return nil
		}
		if r, ok := new(big.Rat).SetString(text); ok {
			return r
		}
	}
	return nil
}
