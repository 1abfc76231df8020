package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// What the registry says of JSON Schema's incompatibilities.
const (
	keywordAdded = "The keyword at path '%p' in the %r schema is not present in the %w schema"
	valueMore    = "The value at path '%p' in the %r schema is more than its value in the %w schema"
	valueLess    = "The value at path '%p' in the %r schema is less than its value in the %w schema"
	valueOther   = "The value at path '%p' is different between the %r and %w schema"
	fewer        = "An array or combined type at path '%p' has fewer elements in the %r schema than the %w schema"
	more         = "An array or combined type at path '%p' has more elements in the %r schema than the %w schema"
	otherType    = "A type at path '%p' is different between the %r schema and the %w schema"

	addedToOpen       = "The %r schema has an open content model and has a property or item at path '%p' which is missing in the %w schema"
	requiredAdded     = "The %r schema has an unopen content model and has a required property at path '%p' which is missing in the %w schema"
	removedFromClosed = "The %r has a closed content model and is missing a property or item present at path '%p' in the %w schema"
	removedUncovered  = "A property or item is missing in the %r schema but present at path '%p' in the %w schema and is not covered by its partially open content model"
	addedUncovered    = "The %r schema has a property or item at path '%p' which is missing in the %w schema and is not covered by its partially open content model"
)

// lenient are the incompatibilities that the policy LENIENT lets pass: whether what
// else an object may hold is open plays no part.
var lenient = []string{
	"ADDITIONAL_PROPERTIES_NARROWED", "ADDITIONAL_PROPERTIES_REMOVED", "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
	"PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
}

// jsonCheck compares by the rules of Confluent's registry: what a writer's schema
// allows, the reader's has to allow too.
type jsonCheck struct {
	policy   Policy
	underWay map[[2]*jsonNode]bool // these count as fitting where they contain themselves
	assumed  int                   // how often that was taken for granted
	fitting  map[[2]*jsonNode]bool // what is known without it
	steps    int
	problems []Problem
}

// What is larger cannot be compared, and does not fit.
const (
	maxSteps = 1_000_000
	maxPairs = 10_000 // that are under way
)

func checkJSON(reader, writer *jsonNode, policy Policy) []Problem {
	c := &jsonCheck{policy: policy, underWay: map[[2]*jsonNode]bool{}, fitting: map[[2]*jsonNode]bool{}}
	c.compare(reader, writer, "#/")
	return c.problems
}

func (c *jsonCheck) say(kind, format, path string) {
	if c.policy == Lenient && slices.Contains(lenient, kind) {
		return
	}
	c.problems = append(c.problems, Problem{Type: kind, Path: path, format: format})
}

// fits reports whether a comparison finds nothing, and forgets what it finds.
func (c *jsonCheck) fits(r, w *jsonNode, path string) bool {
	pair := [2]*jsonNode{r, w}
	if ok, known := c.fitting[pair]; known {
		return ok
	}
	before, assumed := len(c.problems), c.assumed
	c.compare(r, w, path)
	ok := len(c.problems) == before
	c.problems = c.problems[:before]
	if c.assumed == assumed {
		c.fitting[pair] = ok
	}
	return ok
}

// below is the path of something in a schema.
func below(path string, steps ...string) string {
	for _, s := range steps {
		if path != "#/" {
			path += "/"
		}
		path += s
	}
	return path
}

func (c *jsonCheck) compare(r, w *jsonNode, path string) {
	if c.steps++; c.steps > maxSteps || len(c.underWay) > maxPairs {
		c.say("TYPE_CHANGED", otherType, path)
		return
	}
	pair := [2]*jsonNode{r, w}
	if c.underWay[pair] {
		c.assumed++
		return
	}
	c.underWay[pair] = true
	defer delete(c.underWay, pair)
	switch {
	case r.kind == "anything" || w.kind == "nothing":
		return
	case r.kind == "combined" && w.kind != "combined":
		if c.among(r, w, path) {
			return
		}
	case w.kind == "combined" && r.kind != "combined":
		if c.within(r, w, path) {
			return
		}
	}
	switch {
	case r.kind == "number" && w.kind == "integer":
		c.bounds(r, w, path)
	case r.kind == "integer" && w.kind == "number":
		c.bounds(r, w, path)
		c.say("TYPE_NARROWED", otherType, path)
	case r.kind != w.kind:
		c.say("TYPE_CHANGED", otherType, path)
	case r.kind == "integer" || r.kind == "number":
		c.bounds(r, w, path)
	case r.kind == "string":
		c.bound(r, w, path, "maxLength", "MAX_LENGTH", false)
		c.bound(r, w, path, "minLength", "MIN_LENGTH", true)
		c.pattern(r, w, path)
	case r.kind == "enum":
		c.enum(r, w, path)
	case r.kind == "const":
		if short(r.has["const"]) != short(w.has["const"]) {
			c.say("ENUM_ARRAY_CHANGED", otherType, below(path, "const"))
		}
	case r.kind == "not":
		if !c.fits(w.parts[0], r.parts[0], below(path, "not")) { // what is excluded may only become less
			c.say("NOT_TYPE_EXTENDED", more, below(path, "not"))
		}
	case r.kind == "combined":
		c.combined(r, w, path)
	case r.kind == "object":
		c.object(r, w, path)
	case r.kind == "array":
		c.array(r, w, path)
	}
}

// among reports whether what was one schema is still allowed by a combination.
func (c *jsonCheck) among(r, w *jsonNode, path string) bool {
	if r.criteria == "allOf" && len(r.parts) > 1 {
		return false
	}
	return slices.ContainsFunc(r.parts, func(one *jsonNode) bool { return c.fits(one, w, path) })
}

// within is the reverse: of what all held, or of what was the only choice, one is left.
func (c *jsonCheck) within(r, w *jsonNode, path string) bool {
	if w.criteria != "allOf" && len(w.parts) > 1 {
		return false
	}
	return slices.ContainsFunc(w.parts, func(one *jsonNode) bool { return c.fits(r, one, path) })
}

// combined compares two combinations. Each of the smaller one's parts needs a partner of
// its own in the other.
func (c *jsonCheck) combined(r, w *jsonNode, path string) {
	single := func(n *jsonNode) bool { return len(n.parts) == 1 }
	switch {
	case r.criteria == w.criteria, r.criteria == "anyOf", single(r) && single(w), single(w) && r.criteria == "oneOf", single(r) && w.criteria == "allOf":
	default:
		c.say("COMBINED_TYPE_CHANGED", otherType, path)
		return
	}
	switch {
	case len(r.parts) > len(w.parts) && r.criteria == "allOf":
		c.say("PRODUCT_TYPE_EXTENDED", more, path)
	case len(r.parts) < len(w.parts) && w.criteria != "allOf":
		c.say("SUM_TYPE_NARROWED", fewer, path)
	}
	partners := make([][]int, len(w.parts))
	for i, theirs := range w.parts {
		for k, ours := range r.parts {
			if c.fits(ours, theirs, below(path, w.criteria, fmt.Sprint(i))) {
				partners[i] = append(partners[i], k)
			}
		}
	}
	if pairs(partners, len(r.parts)) < min(len(r.parts), len(w.parts)) {
		c.say("COMBINED_TYPE_SUBSCHEMAS_CHANGED", otherType, path)
	}
}

// pairs returns how many find a partner, if nobody has two.
func pairs(partners [][]int, n int) int {
	taken := make([]int, n) // by whom, from 1
	var find func(i int, asked []bool) bool
	find = func(i int, asked []bool) bool {
		for _, k := range partners[i] {
			if asked[k] {
				continue
			}
			asked[k] = true
			if taken[k] == 0 || find(taken[k]-1, asked) {
				taken[k] = i + 1
				return true
			}
		}
		return false
	}
	count := 0
	for i := range partners {
		if find(i, make([]bool, n)) {
			count++
		}
	}
	return count
}

func (c *jsonCheck) bounds(r, w *jsonNode, path string) {
	c.bound(r, w, path, "maximum", "MAXIMUM", false)
	c.bound(r, w, path, "minimum", "MINIMUM", true)
	c.bound(r, w, path, "exclusiveMaximum", "EXCLUSIVE_MAXIMUM", false)
	c.bound(r, w, path, "exclusiveMinimum", "EXCLUSIVE_MINIMUM", true)
	ours, has := r.number("multipleOf")
	theirs, had := w.number("multipleOf")
	at := below(path, "multipleOf")
	whole := func(a, b float64) bool { return b != 0 && a/b == float64(int64(a/b)) }
	switch {
	case !has || had && ours == theirs:
	case !had:
		c.say("MULTIPLE_OF_ADDED", keywordAdded, at)
	case whole(theirs, ours): // multiples of the reader's all
	case whole(ours, theirs):
		c.say("MULTIPLE_OF_EXPANDED", valueMore, at)
	default:
		c.say("MULTIPLE_OF_CHANGED", valueOther, at)
	}
}

// bound compares a keyword that limits from below or from above.
func (c *jsonCheck) bound(r, w *jsonNode, path, keyword, kind string, lower bool) {
	ours, has := r.number(keyword)
	theirs, had := w.number(keyword)
	at := below(path, keyword)
	switch {
	case !has:
	case !had:
		c.say(kind+"_ADDED", keywordAdded, at)
	case lower && ours > theirs:
		c.say(kind+"_INCREASED", valueMore, at)
	case !lower && ours < theirs:
		c.say(kind+"_DECREASED", valueLess, at)
	}
}

func (c *jsonCheck) pattern(r, w *jsonNode, path string) {
	ours, has := r.has["pattern"].(string)
	theirs, had := w.has["pattern"].(string)
	switch {
	case !has || had && ours == theirs:
	case !had:
		c.say("PATTERN_ADDED", keywordAdded, below(path, "pattern"))
	default:
		c.say("PATTERN_CHANGED", valueOther, below(path, "pattern"))
	}
}

func (c *jsonCheck) enum(r, w *jsonNode, path string) {
	ours, theirs := texts(r.has["enum"]), texts(w.has["enum"])
	lacks := func(all, some []string) bool {
		return slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
	}
	switch {
	case !lacks(ours, theirs):
	case !lacks(theirs, ours):
		c.say("ENUM_ARRAY_NARROWED", fewer, below(path, "enum"))
	default:
		c.say("ENUM_ARRAY_CHANGED", otherType, below(path, "enum"))
	}
}

// texts are the values of a list, by which they are compared.
func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, len(list))
	for i, one := range list {
		out[i], _ = marshal(one)
	}
	return out
}

func canonicalJSON(text string, normalize bool) (string, error) {
	if normalize {
		v, err := decodeJSON(text)
		if err != nil {
			return "", err
		}
		return marshal(v)
	}
	var b bytes.Buffer
	err := json.Compact(&b, []byte(text))
	return b.String(), err
}
