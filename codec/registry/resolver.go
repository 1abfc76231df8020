package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/configdef"
)

// Compatible says what hinders a reader with one schema from reading what another
// one wrote; nothing when it can. deps are what each refers to.
type Compatible func(reader, writer *Schema, readerDeps, writerDeps []Dependency) []string

// Resolver is the half of a converter that talks to the registry: it finds the
// schema for a record that is written, by the rules of the settings, and for one
// that was read. Like the converter it belongs to one goroutine at a time.
type Resolver struct {
	// Client is the registry's, for what the methods here don't do.
	Client *Client

	typ          Type
	strategy     strategy
	autoRegister bool
	useID        int // negative: not
	idStrict     bool
	useLatest    bool
	latestStrict bool
	normalize    bool
	compatible   Compatible
	ctx          context.Context //nolint:containedctx // a converter's calls have none; see Bind

	// written holds what was answered for a schema, so that a record costs a
	// look-up and no text. Where the answer can change, the client is asked.
	written map[writeKey]*Registered
	subject lastSubject
	last    lastWritten
}

type writeKey struct {
	subject string
	schema  *Schema
}

// lastWritten is what the record before was written with, which is nearly always
// what the next one is.
type lastWritten struct {
	topic, record string
	schema        *Schema
	out           *Registered // nil where it can change
}

// lastSubject is the subject of the record before.
type lastSubject struct{ topic, record, name string }

// NewResolver returns the resolver of a converter of that type, for settings that a
// [Def] parsed. compatible is the check of latest.compatibility.strict and
// id.compatibility.strict. The error is about a setting.
func NewResolver(v *configdef.Values, t Type, isKey bool, compatible Compatible) (*Resolver, error) {
	client, err := NewClient(v)
	if err != nil {
		return nil, codec.ConfigError(err.Error())
	}
	setting := ValueStrategySetting
	if isKey {
		setting = KeyStrategySetting
	}
	class, _ := strategyNamed(v.Class(setting)) // the setting's validator knows it
	return &Resolver{
		Client:       client,
		typ:          t,
		strategy:     strategy{class: class, isKey: isKey},
		autoRegister: v.Bool(AutoRegisterSetting),
		useID:        v.Int(UseSchemaIDSetting),
		idStrict:     v.Bool(IDStrictSetting),
		useLatest:    v.Bool(UseLatestSetting),
		latestStrict: v.Bool(LatestStrictSetting),
		normalize:    v.Bool(NormalizeSetting),
		compatible:   compatible,
		ctx:          context.Background(),
		written:      map[writeKey]*Registered{},
	}, nil
}

// Bind does what [codec.Bound] asks of the converter.
func (r *Resolver) Bind(ctx context.Context) {
	r.ctx = ctx
	context.AfterFunc(ctx, r.Client.Close)
}

// Subject returns the subject of a record's schema; record is the full name of its
// record type, "" when it is none.
func (r *Resolver) Subject(topic, record string) (string, error) {
	if l := &r.subject; l.name != "" && l.topic == topic && l.record == record {
		return l.name, nil
	}
	name, err := r.strategy.subject(topic, record)
	if err == nil {
		r.subject = lastSubject{topic, record, name}
	}
	return name, err
}

// Write returns the id and the schema under which a record has to be written; s is
// the record's own schema, of which the caller keeps one value for equal ones. The
// result holds s itself unless use.schema.id or use.latest.version say otherwise.
// Its version is 0 where the registry was not asked for it.
//
// Errors are worded as by Confluent's serializers; [Resolver.Failure] makes a converter's of
// them.
func (r *Resolver) Write(topic, record string, s *Schema) (*Registered, error) {
	if l := &r.last; l.schema == s && l.out != nil && l.topic == topic && l.record == record {
		return l.out, nil
	}
	subject, err := r.Subject(topic, record)
	if err != nil {
		return nil, err
	}
	latest := !r.autoRegister && r.useID < 0 && r.useLatest
	key := writeKey{subject, s}
	if out, ok := r.written[key]; ok {
		if !latest {
			r.last = lastWritten{topic, record, s, out}
			return out, nil
		}
		// Whether it still is the latest is the client's to say.
		if now, ok := r.Client.latest.get(subject); ok && now.ID == out.ID {
			return out, nil
		}
	}
	out, err := r.write(subject, s)
	if err != nil {
		return nil, err
	}
	if len(r.written) >= r.Client.t.cacheSize {
		clear(r.written)
	}
	r.written[key] = out
	return out, nil
}

// write follows the order in which Confluent's serializers look at the settings.
func (r *Resolver) write(subject string, s *Schema) (*Registered, error) {
	name := wording[r.typ].name
	switch {
	case r.autoRegister:
		id, err := r.Client.Register(r.ctx, subject, s, r.normalize)
		if err != nil {
			return nil, serializing(err, "Error registering "+name+" schema"+s.Text)
		}
		return &Registered{ID: id, Subject: subject, Schema: s}, nil
	case r.useID >= 0:
		found, err := r.Client.ByID(r.ctx, r.useID, subject)
		if err != nil {
			return nil, serializing(err, "Error retrieving schema ID"+s.Text)
		}
		if r.idStrict {
			if err := r.check(found, s, IDStrictSetting); err != nil {
				return nil, err
			}
		}
		return &Registered{ID: r.useID, Subject: subject, Schema: found}, nil
	case r.useLatest:
		found, err := r.Client.Latest(r.ctx, subject)
		if err != nil {
			return nil, serializing(err, "Error retrieving latest version of "+name+" schema"+s.Text)
		}
		if r.latestStrict {
			if err := r.check(found.Schema, s, LatestStrictSetting); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	found, err := r.Client.Lookup(r.ctx, subject, s, r.normalize)
	if err != nil {
		return nil, serializing(err, "Error retrieving "+name+" schema"+s.Text)
	}
	return &Registered{ID: found.ID, Version: found.Version, Subject: subject, Schema: s}, nil
}

// check refuses to write what has schema s under the schema found, unless found
// reads what s writes.
func (r *Resolver) check(found, s *Schema, setting string) error {
	if r.compatible == nil {
		return nil
	}
	foundDeps, err := r.Client.Dependencies(r.ctx, found)
	if err != nil {
		return serializing(err, r.failedWriting())
	}
	ownDeps, err := r.Client.Dependencies(r.ctx, s)
	if err != nil {
		return serializing(err, r.failedWriting())
	}
	problems := r.compatible(found, s, foundDeps, ownDeps)
	if len(problems) == 0 {
		return nil
	}
	cause := &codec.Error{Class: ioException, Msg: fmt.Sprintf("Incompatible schema %s with refs %s of type %s for schema %s. Set %s=false to disable this check",
		found.Text, refsText(found.References), found.kind(), s.Text, setting),
		Cause: errors.New(strings.Join(problems, "; "))}
	return Serialization(r.failedWriting(), cause)
}

func (r *Resolver) failedWriting() string {
	return "Error serializing " + wording[r.typ].name + " message"
}

// refsText renders references as Java prints a list of them.
func refsText(refs []Reference) string {
	parts := make([]string, len(refs))
	for i, ref := range refs {
		parts[i] = fmt.Sprintf("{name='%s', subject='%s', version=%d}", ref.Name, ref.Subject, ref.Version)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Read returns the schema of a record that was read, by the id in its header.
func (r *Resolver) Read(topic string, id int) (*Schema, error) {
	subject := ""
	if r.strategy.class == TopicNameStrategy {
		// As Confluent's deserializers: the subject tells registries with contexts
		// whose id is meant. The other strategies need the schema first.
		subject, _ = r.Subject(topic, "")
	}
	s, err := r.Client.ByID(r.ctx, id, subject)
	if err != nil {
		return nil, serializing(err, fmt.Sprintf("Error retrieving %s schema for id %d", wording[r.typ].name, id))
	}
	if s.kind() != r.typ {
		return nil, Serialization(fmt.Sprintf("the schema with id %d is of type %s, not %s", id, s.kind(), r.typ), nil)
	}
	return s, nil
}

// UseLatest reports whether a subject's newest schema is used instead of a record's
// own. It may be another one for each record.
func (r *Resolver) UseLatest() bool { return r.useLatest }

// Reader returns the schema by which a record is read that was written with schema s
// of that id: the newest of its subject with use.latest.version, which in Confluent's
// JSON Schema and Protobuf deserializers says that too, else s. Its version is that
// of [Resolver.Version].
func (r *Resolver) Reader(topic, record string, id int, s *Schema) (*Registered, error) {
	if !r.useLatest {
		version, err := r.Version(topic, record, id, s)
		return &Registered{ID: id, Version: version, Schema: s}, err
	}
	subject, err := r.Subject(topic, record)
	if err != nil {
		return nil, err
	}
	return r.Client.Latest(r.ctx, subject)
}

// Version returns the version that a schema which was read has in its subject; it
// becomes the version of a Connect schema that has none. It is 0 when the subject
// has no such schema: records are copied between topics, and their writers may
// name subjects in another way.
func (r *Resolver) Version(topic, record string, id int, s *Schema) (int, error) {
	subject, err := r.Subject(topic, record)
	if err != nil {
		return 0, err
	}
	found, err := r.Client.Lookup(r.ctx, subject, s, false)
	if IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, serializing(err, fmt.Sprintf("Error retrieving %s schema version for id %d", wording[r.typ].name, id))
	}
	return found.Version, nil
}

// Dependencies returns the text of all that a schema refers to, each once and after
// what it refers to itself.
func (r *Resolver) Dependencies(s *Schema) ([]Dependency, error) {
	deps, err := r.Client.Dependencies(r.ctx, s)
	return deps, serializing(err, "Error retrieving "+wording[r.typ].name+" schema")
}

// References returns the texts of what a schema refers to, by the names that it has
// for them; nil where it refers to none.
func (r *Resolver) References(s *Schema) (map[string]string, error) {
	if len(s.References) == 0 {
		return nil, nil
	}
	deps, err := r.Dependencies(s)
	if err != nil {
		return nil, err
	}
	refs := make(map[string]string, len(deps))
	for _, d := range deps {
		refs[d.Name] = d.Schema.Text
	}
	return refs, nil
}
