package json

// nodeType is Jackson's JsonNodeType; its names stand in messages.
type nodeType uint8

const (
	missingNode nodeType = iota // there is no node: an empty document
	nullNode
	booleanNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

func (t nodeType) String() string {
	return [...]string{"MISSING", "NULL", "BOOLEAN", "NUMBER", "STRING", "ARRAY", "OBJECT"}[t]
}

// node is a parsed document or a part of it. Converting by way of nodes is the
// reference: it follows Kafka Connect step by step, and decides whatever the
// fast reader (fast.go) doesn't take.
type node struct {
	typ   nodeType
	b     bool
	isInt bool   // of a number: without fraction and exponent
	int32 bool   // of a number: what Jackson calls an int
	text  []byte // of a string, its text; of a number, its literal
	raw   []byte // of an object: its text
	kids  []*node
	names []string // of an object: the names of kids
}

// get returns the member of an object, nil when there is none or n is no object.
func (n *node) get(name string) *node {
	for i, k := range n.names {
		if k == name {
			return n.kids[i]
		}
	}
	return nil
}

// isNull reports whether n is absent or null.
func (n *node) isNull() bool { return n == nil || n.typ == nullNode || n.typ == missingNode }

// isText reports whether n is there and a string.
func (n *node) isText() bool { return n != nil && n.typ == stringNode }

// parse reads a document. What follows a complete value is ignored, except
// right behind a number, as Jackson has it.
func parse(in []byte) (*node, bool) {
	l := lexer{in: in}
	c := l.ws()
	if l.pos == len(in) {
		return &node{typ: missingNode}, true
	}
	n, ok := l.tree()
	if ok && (c == '-' || c >= '0' && c <= '9') {
		ok = l.rootNumberEnds()
	}
	return n, ok
}

func (l *lexer) tree() (*node, bool) {
	switch c := l.ws(); c {
	case '"':
		s, ok := l.str()
		return &node{typ: stringNode, text: s}, ok
	case '{', '[':
		return l.branch(c)
	case 't':
		return &node{typ: booleanNode, b: true}, l.word("true")
	case 'f':
		return &node{typ: booleanNode}, l.word("false")
	case 'n':
		return &node{typ: nullNode}, l.word("null")
	default:
		if c != '-' && (c < '0' || c > '9') || !l.number() {
			return nil, false
		}
		return &node{typ: numberNode, text: l.lit(), isInt: l.isInt, int32: l.isInt32()}, true
	}
}

func (l *lexer) branch(open byte) (*node, bool) {
	n := &node{typ: arrayNode}
	end := open + 2
	var index map[string]int // of names, once there are many
	if open == '{' {
		n.typ = objectNode
	}
	start := l.pos
	l.pos++
	if l.depth++; l.depth > maxDepth {
		return nil, false
	}
	if l.ws() == end {
		l.pos++
		l.depth--
		n.raw = l.in[start:l.pos]
		return n, true
	}
	for {
		at := len(n.kids)
		if open == '{' {
			s, ok := l.name()
			if !ok {
				return nil, false
			}
			name := str1(s)
			if index != nil {
				if i, dup := index[name]; dup {
					at = i
				} else {
					index[name] = at
				}
			} else {
				for i, k := range n.names {
					if k == name {
						at = i
					}
				}
			}
			if at == len(n.kids) {
				n.names = append(n.names, name)
				if len(n.names) == 16 {
					index = make(map[string]int, 64)
					for i, k := range n.names {
						index[k] = i
					}
				}
			}
		}
		kid, ok := l.tree()
		if !ok {
			return nil, false
		}
		if at < len(n.kids) { // a name that is there twice: the later counts
			n.kids[at] = kid
		} else {
			n.kids = append(n.kids, kid)
		}
		switch l.ws() {
		case ',':
			l.pos++
			l.ws()
		case end:
			l.pos++
			l.depth--
			n.raw = l.in[start:l.pos]
			return n, true
		default:
			return nil, false
		}
	}
}
