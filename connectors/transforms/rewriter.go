package transforms

import (
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// leafOp is what a transform does to what a path leads to.
type leafOp interface {
	// schema returns what becomes of the schema at the end of path i.
	schema(i int, s *data.Schema) (*data.Schema, error)
	// value returns what becomes of the value there; from and to are nil without
	// schema. A value that a map lacks is null.
	value(i int, from, to *data.Schema, v data.Value) (data.Value, error)
}

// inserter has the fields that a transform adds; one of them has a number.
type inserter interface {
	name(i int) string
	fieldSchema(i int) *data.Schema
	// field returns the value for the record at hand; ok is false when there is none.
	field(i int, schemaless bool) (v data.Value, ok bool)
}

// node is a place in the tree of a transform's paths.
type node struct {
	kids  []*node // in the order in which they were first named
	elems *node   // of the elements of an array
	name  string

	leaf     int    // number of a path that ends here, plus one
	drop     bool   // the field goes
	rename   string // its new name, "" for the old one
	only     bool   // of the fields in here those that are included stay, no others
	included bool
	whole    bool  // all that is in here is included
	inserts  []int // fields that are added here
}

func (n *node) kid(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// deep reports whether there is something to do beneath or at the value.
func (n *node) deep() bool {
	return n.leaf > 0 || n.elems != nil || len(n.inserts) > 0 || n.only || len(n.kids) > 0
}

// fills reports whether a field is added here or beneath, by names alone: then
// structs and maps on the way that are missing are made.
func (n *node) fills() bool {
	for _, k := range n.kids {
		if k.fills() {
			return true
		}
	}
	return len(n.inserts) > 0
}

// at returns the node of a path, and makes what is missing.
func (n *node) at(steps []pathStep) *node {
	for _, s := range steps {
		k := n.kid(s.name)
		if k == nil {
			k = &node{name: s.name}
			n.kids = append(n.kids, k)
		}
		n = k
		for range s.elems {
			if n.elems == nil {
				n.elems = &node{name: n.name}
			}
			n = n.elems
		}
	}
	return n
}

// check refuses trees that say two things about one place.
func (n *node) check(path string) error {
	if n.leaf > 0 && (len(n.kids) > 0 || n.elems != nil) {
		return connectors.ConfigError("The field %s is named as a whole and also by a field in it", path)
	}
	if n.elems != nil {
		if len(n.kids) > 0 {
			return connectors.ConfigError("The field %s is named both as an array and as a struct", path)
		}
		if n.elems.drop || n.elems.rename != "" {
			return connectors.ConfigError("The elements of %s can be neither dropped nor renamed", path)
		}
		return n.elems.check(path + "[]")
	}
	for _, k := range n.kids {
		at := k.name
		if path != "" {
			at = path + "." + k.name
		}
		if err := k.check(at); err != nil {
			return err
		}
	}
	return nil
}

// parseLongPath is parsePath for a path that has to lead somewhere.
func parseLongPath(path string) ([]pathStep, error) {
	steps, err := parsePath(path)
	if err == nil && len(steps) == 0 {
		err = connectors.ConfigError("A path of fields is empty")
	}
	return steps, err
}

// rewriter is a transform that works on what paths lead to (field.syntax.version
// V2): a tree of paths, compiled once for a schema.
type rewriter struct {
	side        side
	purpose     string
	root        node
	op          leafOp   // nil when no path has a leaf
	ins         inserter // nil when nothing is inserted
	withDefault bool
	keepWhole   bool // the record's struct stays optional and keeps its default
	fillMissing bool // a field that a map lacks is put in
	needsValue  bool // null is an error
	// schemaOfNull: the schema of a null changes as that of any other.
	schemaOfNull bool
	start        func(*data.Record) error

	cache *data.SchemaCache[*structPlan]
	arena data.StructArena
}

// add puts a path into the tree and returns where it ends.
func (w *rewriter) add(path string) (*node, error) {
	steps, err := parseLongPath(path)
	if err != nil {
		return nil, err
	}
	return w.root.at(steps), nil
}

// addLeaves puts in paths whose values the transform changes, by their numbers.
func (w *rewriter) addLeaves(paths []string) error {
	for i, path := range paths {
		n, err := w.add(path)
		if err != nil {
			return err
		}
		n.leaf = i + 1
	}
	return nil
}

// done checks the tree and makes the rewriter ready.
func (w *rewriter) done() (*rewriter, error) {
	w.cache = data.NewSchemaCache[*structPlan](cachedSchemas)
	return w, w.root.check("")
}

// Apply implements [connectors.Transformation].
func (w *rewriter) Apply(r *data.Record) (bool, error) {
	schema, value := w.side.at(r)
	if value.IsNull() && !w.needsValue {
		if *schema != nil && w.schemaOfNull {
			plan, err := w.plan(*schema)
			if err != nil {
				return false, err
			}
			*schema = plan.schema
		}
		return true, nil
	}
	if w.start != nil {
		if err := w.start(r); err != nil {
			return false, err
		}
	}
	if *schema == nil {
		m, err := requireMap(*value, w.purpose)
		if err != nil {
			return false, err
		}
		*value, err = w.rewriteMap(&w.root, m)
		return err == nil, err
	}
	st, err := requireStruct(*value, w.purpose)
	if err != nil {
		return false, err
	}
	plan, err := w.plan(st.Schema())
	if err != nil {
		return false, err
	}
	v, err := w.rewriteStruct(plan, st)
	if err != nil {
		return false, err
	}
	*schema, *value = plan.schema, v
	return true, nil
}

// rewriteMap returns m with everything that the tree says done to it.
func (w *rewriter) rewriteMap(n *node, m *data.MapValue) (data.Value, error) {
	var b data.MapBuilder
	b.Grow(m.Len() + len(n.kids) + len(n.inserts))
	for _, e := range m.Entries() {
		var k *node
		if e.Key.Kind() == data.KindString {
			k = n.kid(e.Key.Str())
		}
		switch {
		case k == nil && n.only, k != nil && (k.drop || n.only && !k.included):
			continue
		case k == nil:
			b.Put(e.Key, e.Value)
			continue
		}
		v, err := w.rewriteAny(k, e.Value)
		if err != nil {
			return data.Null, err
		}
		key := e.Key
		if k.rename != "" {
			key = data.OfString(k.rename)
		}
		b.Put(key, v)
	}
	for _, k := range n.kids {
		if k.leaf == 0 && !k.fills() {
			continue
		}
		if _, there := m.Get(k.name); there {
			continue
		}
		var v data.Value
		var err error
		switch {
		case k.leaf > 0 && w.fillMissing:
			v, err = w.op.value(k.leaf-1, nil, nil, data.Null)
		case k.leaf > 0:
			continue
		default:
			v, err = w.rewriteMap(k, nil)
		}
		if err != nil {
			return data.Null, err
		}
		b.PutString(k.name, v)
	}
	for _, i := range n.inserts {
		if v, ok := w.ins.field(i, true); ok {
			b.PutString(w.ins.name(i), v)
		}
	}
	return data.OfMap(b.Build()), nil
}

func (w *rewriter) rewriteAny(n *node, v data.Value) (data.Value, error) {
	switch {
	case n.leaf > 0:
		return w.op.value(n.leaf-1, nil, nil, v)
	case v.IsNull() || !n.deep():
		return v, nil
	case n.elems != nil:
		in, err := requireArray(v)
		if err != nil {
			return v, err
		}
		out := make([]data.Value, len(in))
		for i, e := range in {
			if out[i], err = w.rewriteAny(n.elems, e); err != nil {
				return v, err
			}
		}
		return data.OfArray(out), nil
	}
	m, err := requireMap(v, nestedPurpose)
	if err != nil {
		return v, err
	}
	return w.rewriteMap(n, m)
}
