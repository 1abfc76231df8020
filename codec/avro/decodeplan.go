package avro

import (
	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// decodePlanner compiles decoders from an Avro schema and the Connect schema that
// it was mapped to.
type decodePlanner struct {
	done map[pair]*decoder
}

// decoderFor returns the plan from a to s, which is what a was mapped to.
func decoderFor(a *schema.Schema, s *data.Schema) (*decoder, error) {
	if s == nil {
		return anyDecoder, nil
	}
	p := &decodePlanner{done: make(map[pair]*decoder)}
	return p.compile(a, s)
}

func (p *decodePlanner) compile(a *schema.Schema, s *data.Schema) (*decoder, error) {
	if d, ok := p.done[pair{s, a}]; ok {
		return d, nil
	}
	d := &decoder{schema: s}
	p.done[pair{s, a}] = d
	// While a record is compiled, the shortest of itself is not known: one byte
	// less than it may be is a bound all the same.
	err := p.fill(d, a, s)
	return d, err
}

func (p *decodePlanner) fill(d *decoder, a *schema.Schema, s *data.Schema) (err error) {
	d.min = 1
	switch a.Type {
	case schema.Boolean:
		d.op = decBoolean
	case schema.Int:
		if d.op = decInt; s.Type() == data.Int32 && s.Logical() == data.NotLogical {
			d.op = decPlainInt
		}
	case schema.Long:
		if d.op = decLong; s.Type() == data.Int64 && s.Logical() == data.NotLogical {
			d.op = decPlainLong
		}
	case schema.Float:
		d.op, d.min = decFloat, 4
	case schema.Double:
		d.op, d.min = decDouble, 8
	case schema.String:
		d.op = decString
	case schema.Bytes:
		d.op = decBytes
		if s.Logical() == data.LogicalDecimal {
			d.op, d.min = decDecimal, 2
			d.scale, _ = s.Scale()
		}
	case schema.Fixed:
		d.op, d.size, d.min = decFixed, a.Size, a.Size
		if s.Logical() == data.LogicalDecimal {
			d.op = decFixedDecimal
			d.scale, _ = s.Scale()
		}
	case schema.Enum:
		d.op = decEnum
		for _, sym := range a.Symbols {
			d.symbols = append(d.symbols, data.OfString(sym))
		}
	case schema.Array:
		if s.Type() == data.Map {
			return p.entries(d, a.Elem, s)
		}
		d.op = decArray
		d.elem, err = p.compile(a.Elem, s.ValueSchema())
	case schema.Map:
		d.op, d.key = decMap, &decoder{op: decString, min: 1}
		d.elem, err = p.compile(a.Elem, s.ValueSchema())
	case schema.Union:
		return p.union(d, a, s)
	case schema.Record:
		return p.record(d, a, s)
	default:
		return data.Errorf("Couldn't translate unsupported schema type %s.", a.Type)
	}
	return err
}

// entries reads the pairs in the order in which the record has them.
func (p *decodePlanner) entries(d *decoder, rec *schema.Schema, s *data.Schema) (err error) {
	d.op = decEntries
	if rec.Fields[0].Name != keyField {
		return data.Errorf("Found map encoded as array of key-value pairs, but array elements do not match the expected format.")
	}
	if d.key, err = p.compile(rec.Fields[0].Schema, s.KeySchema()); err == nil {
		d.elem, err = p.compile(rec.Fields[1].Schema, s.ValueSchema())
	}
	return err
}

func (p *decodePlanner) union(d *decoder, a *schema.Schema, s *data.Schema) error {
	d.op = decNullable
	d.branches = make([]*decoder, len(a.Branches))
	union := isUnion(s) && len(s.Fields()) > 0 && !p.simple(a, s)
	if union {
		d.op, d.places = decUnion, make([]int, len(a.Branches))
	}
	at := 0
	for i, b := range a.Branches {
		if b.Type == schema.Null {
			continue
		}
		inner := s
		if union {
			inner, d.places[i] = s.Fields()[at].Schema, at
			at++
		}
		var err error
		if d.branches[i], err = p.compile(b, inner); err != nil {
			return err
		}
	}
	return nil
}

// simple reports whether a union was mapped to its one type beside null.
func (p *decodePlanner) simple(a *schema.Schema, s *data.Schema) bool {
	n := 0
	for _, b := range a.Branches {
		if b.Type != schema.Null {
			n++
		}
	}
	return n != len(s.Fields())
}

func (p *decodePlanner) record(d *decoder, a *schema.Schema, s *data.Schema) error {
	d.op = decStruct
	d.fields = make([]*decoder, len(a.Fields))
	sum := 0
	for i := range a.Fields {
		var err error
		if d.fields[i], err = p.compile(a.Fields[i].Schema, s.Fields()[i].Schema); err != nil {
			return err
		}
		sum = min(sum+d.fields[i].min, 1<<30)
	}
	d.min = sum
	return nil
}
