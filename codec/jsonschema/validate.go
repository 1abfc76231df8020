package jsonschema

import (
	"bytes"
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/troupeio/troupe/codec/registry"
)

// validator checks documents against a schema, for json.fail.invalid.schema.
type validator struct{ s *jsonschema.Schema }

// closed is the loader of schemas from elsewhere: there is no elsewhere. A schema
// from a registry must not make us read files or ask servers.
type closed struct{}

func (closed) Load(url string) (any, error) {
	return nil, errors.New(url + " is not among the schema's references")
}

// rootURL is where schemas stand whose own $id says nothing else.
const rootURL = "registry:///"

func newValidator(text string, refs map[string]string) (*validator, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(closed{})
	add := func(url, text string) error {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = c.AddResource(url, doc)
		}
		return err
	}
	base := rootURL + "schema"
	if d, err := parseDocument(text); err == nil && d.base != nil && d.base.IsAbs() {
		base = d.base.String()
	}
	for name, t := range refs {
		url := name
		if !strings.Contains(name, "://") {
			url = base[:strings.LastIndexByte(base, '/')+1] + name
		}
		if err := add(url, t); err != nil {
			return nil, registry.Serialization("Invalid JSON schema", err)
		}
	}
	if err := add(base, text); err != nil {
		return nil, registry.Serialization("Invalid JSON schema", err)
	}
	s, err := c.Compile(base)
	if err != nil {
		return nil, registry.Serialization("Invalid JSON schema", err)
	}
	return &validator{s}, nil
}

func (v *validator) check(body []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return registry.Serialization("JSON does not match schema of type JSON", err)
	}
	if err := v.s.Validate(doc); err != nil {
		return registry.Serialization("Validation error in JSON, Error report:\n"+err.Error(), err)
	}
	return nil
}
