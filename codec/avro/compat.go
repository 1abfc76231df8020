package avro

import (
	"fmt"
	"slices"

	"github.com/troupeio/troupe/codec/registry"
)

// compatible says what hinders a reader of one Avro schema from reading what another
// one wrote, by the rules of Avro's schema resolution.
func compatible(reader, writer *registry.Schema, readerDeps, writerDeps []registry.Dependency) []string {
	r, err := parse(reader.Text, texts(readerDeps)...)
	if err != nil {
		return []string{err.Error()}
	}
	w, err := parse(writer.Text, texts(writerDeps)...)
	if err != nil {
		return []string{err.Error()}
	}
	c := &resolution{seen: make(map[[2]*schema]bool)}
	c.check(r, w, "", 0)
	return c.problems
}

type resolution struct {
	seen     map[[2]*schema]bool
	problems []string
}

func (c *resolution) problem(where, format string, args ...any) {
	if where == "" {
		where = "/"
	}
	c.problems = append(c.problems, where+": "+fmt.Sprintf(format, args...))
}

// promotions are the types that a reader's type takes beside its own.
var promotions = map[avroType][]avroType{
	tLong:   {tInt},
	tFloat:  {tInt, tLong},
	tDouble: {tInt, tLong, tFloat},
	tString: {tBytes},
	tBytes:  {tString},
}

func (c *resolution) check(r, w *schema, where string, depth int) {
	if depth > maxDepth {
		c.problem(where, "%v", errDeep)
		return
	}
	if c.seen[[2]*schema{r, w}] {
		return // is being looked at, or was
	}
	c.seen[[2]*schema{r, w}] = true
	if w.typ == tUnion { // whatever it writes must be readable
		for _, b := range w.branches {
			c.check(r, b, where, depth+1)
		}
		return
	}
	if r.typ == tUnion {
		for _, b := range r.branches {
			if c.reads(b, w, where, depth) {
				return
			}
		}
		c.problem(where, "the reader's union has no branch for the writer's %s", w.fullName())
		return
	}
	if r.typ != w.typ {
		if !slices.Contains(promotions[r.typ], w.typ) {
			c.problem(where, "the reader's type %s cannot read the writer's %s", r.fullName(), w.fullName())
		}
		return
	}
	switch r.typ {
	case tArray, tMap:
		c.check(r.elem, w.elem, where+"/"+r.typ.String(), depth+1)
	case tFixed:
		if r.name != w.name && !aliased(r, w) {
			c.problem(where, "the reader expects %s, not %s", r.fullName(), w.fullName())
		}
		if r.size != w.size {
			c.problem(where, "the size %d of the reader's fixed is not the writer's %d", r.size, w.size)
		}
	case tEnum:
		if r.name != w.name {
			c.problem(where, "the reader expects %s, not %s", r.fullName(), w.fullName())
		}
		for _, sym := range w.symbols {
			if r.symbol == "" && !slices.Contains(r.symbols, sym) {
				c.problem(where, "the reader's enum lacks the symbol %s", sym)
			}
		}
	case tRecord:
		c.record(r, w, where, depth)
	}
}

// reads reports whether a reader's branch reads what w writes.
func (c *resolution) reads(r, w *schema, where string, depth int) bool {
	try := &resolution{seen: make(map[[2]*schema]bool, len(c.seen))}
	for k := range c.seen {
		try.seen[k] = true
	}
	delete(try.seen, [2]*schema{r, w})
	try.check(r, w, where, depth+1)
	return len(try.problems) == 0
}

func (c *resolution) record(r, w *schema, where string, depth int) {
	if r.name != w.name && !aliased(r, w) {
		c.problem(where, "the reader expects %s, not %s", r.fullName(), w.fullName())
		return
	}
	for i := range r.fields {
		rf := &r.fields[i]
		wf := w.field(rf.name)
		for _, a := range listOf(rf.alias) {
			if name, ok := a.(string); ok && wf == nil {
				wf = w.field(name)
			}
		}
		switch {
		case wf != nil:
			c.check(rf.schema, wf.schema, where+"/"+rf.name, depth+1)
		case !rf.hasDef:
			c.problem(where+"/"+rf.name, "the reader's field has no default and the writer has no such field")
		}
	}
}

func listOf(v any) []any {
	list, _ := v.([]any)
	return list
}

func aliased(r, w *schema) bool {
	for _, a := range listOf(r.alias) {
		if a == w.fullName() || a == w.name {
			return true
		}
	}
	return false
}
