package expr

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// shape is what an expression is to be.
type shape uint8

const (
	anything shape = iota
	aBool
	aString
	aMap
)

func (s shape) String() string {
	return [...]string{"an expression of CEL", "an expression of CEL that is true or false", "an expression of CEL that is a string", "a map of names and expressions of CEL"}[s]
}

// environment is CEL with the variables of a record of certain schemas.
type environment struct {
	env   *cel.Env
	types *typeProvider
}

func newEnv(value, key *data.Schema) (*environment, error) {
	provider, err := newTypeProvider()
	if err != nil {
		return nil, err
	}
	env, err := cel.NewEnv(
		cel.CustomTypeProvider(provider), cel.CustomTypeAdapter(adapter{}), ext.Strings(), ext.Math(),
		cel.EnableIdentifierEscapeSyntax(), // value.`a-b`.`in`: names that CEL has no other way to
		cel.Variable("value", provider.side(value, "Value")),
		cel.Variable("key", provider.side(key, "Key")),
		cel.Variable("topic", cel.StringType),
		cel.Variable("partition", types.NewNullableType(types.IntType)),
		cel.Variable("offset", types.NewNullableType(types.IntType)),
		cel.Variable("timestamp", cel.TimestampType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.DynType)),
	)
	return &environment{env: env, types: provider}, err
}

// program is one compiled expression.
type program struct {
	setting string
	name    string // of the field or header, "" when the setting is one expression
	run     cel.Program
	typ     *types.Type
	schema  *data.Schema // of the result; nil without schemas
	limit   uint64
}

// check compiles an expression for records of any form.
func check(setting, text string, wanted shape) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	env, err := newEnv(nil, nil)
	if err != nil {
		return err
	}
	if wanted == aMap {
		_, err = env.compileMap(setting, text, 1)
	} else {
		_, err = env.compile(setting, text, wanted, 1)
	}
	if err != nil {
		return connectors.ConfigError("Invalid value %s for configuration %s: %v", text, setting, err)
	}
	return nil
}

// parse compiles a text as a whole.
func (e *environment) parse(setting, text string) (*celast.AST, error) {
	ast, issues := e.env.Parse(text)
	for issues.Err() == nil {
		var checked *cel.Ast
		if checked, issues = e.env.Check(ast); issues.Err() == nil {
			return checked.NativeRep(), nil
		}
		if absent(ast.NativeRep(), issues.Errors()) {
			issues = nil
		}
	}
	var all []string
	for _, i := range issues.Errors() {
		all = append(all, fmt.Sprintf("at %d:%d: %s", i.Location.Line(), i.Location.Column()+1, i.Message))
	}
	return nil, fmt.Errorf("%s %s", setting, strings.Join(all, "; "))
}

func (e *environment) compile(setting, text string, wanted shape, limit uint64) (*program, error) {
	ast, err := e.parse(setting, text)
	if err != nil {
		return nil, err
	}
	got := ast.GetType(ast.Expr().ID())
	if want := map[shape]*types.Type{aBool: types.BoolType, aString: types.StringType}[wanted]; want != nil && !got.IsExactType(types.DynType) &&
		!got.IsExactType(want) && !got.IsExactType(types.NewNullableType(want)) {
		return nil, fmt.Errorf("%s is to be %s, and is of the type %s", setting, wanted, got)
	}
	return e.program(ast, ast.Expr(), setting, "", limit)
}

// compileMap compiles the expressions of a map whose keys are texts.
func (e *environment) compileMap(setting, text string, limit uint64) ([]*program, error) {
	ast, err := e.parse(setting, text)
	if err != nil {
		return nil, err
	}
	if ast.Expr().Kind() != celast.MapKind {
		return nil, fmt.Errorf(`%s is to be a map of names and expressions, {"name": expression}`, setting)
	}
	var out []*program
	seen := make(map[string]bool)
	for _, entry := range ast.Expr().AsMap().Entries() {
		key, at := entry.AsMapEntry().Key(), ast.SourceInfo().GetStartLocation(entry.AsMapEntry().Key().ID())
		name, ok := "", false
		if key.Kind() == celast.LiteralKind {
			var text types.String
			text, ok = key.AsLiteral().(types.String)
			name = string(text)
		}
		if !ok || name == "" || seen[name] {
			return nil, fmt.Errorf("%s at %d:%d: a name is a text in quotes, not empty and not there twice", setting, at.Line(), at.Column()+1)
		}
		seen[name] = true
		p, err := e.program(ast, entry.AsMapEntry().Value(), setting, name, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// program plans one expression of a checked text.
func (e *environment) program(ast *celast.AST, x celast.Expr, setting, name string, limit uint64) (*program, error) {
	p := &program{setting: setting, name: name, typ: ast.GetType(x.ID()), limit: limit}
	part := celast.NewCheckedAST(celast.NewAST(x, ast.SourceInfo()), ast.TypeMap(), ast.ReferenceMap())
	var err error
	if p.run, err = e.env.PlanProgram(part, cel.CostLimit(limit), cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, p.errorf("%v", err)
	}
	return p, nil
}

// findSchema finds the schema of what the expression gives.
func (p *program) findSchema(e *environment) error {
	var err error
	if p.schema, err = e.types.schemaOf(p.typ); err != nil {
		return p.errorf("%v", err)
	}
	return nil
}

// schemaOf returns the schema of a result; without schemas a header's or key's is
// that of its kind, as a header parsed from text has one.
func (p *program) schemaOf(v data.Value) *data.Schema {
	if p.schema != nil || v.IsNull() || p.setting != headersSetting {
		return p.schema
	}
	return data.PrimitiveSchema(data.Type(v.Kind()), true)
}

// what names the expression in messages.
func (p *program) what() string {
	if p.name == "" {
		return p.setting
	}
	return p.setting + " (" + p.name + ")"
}

func (p *program) errorf(format string, args ...any) error {
	return data.Errorf("%s: %s: %s", Class, p.what(), fmt.Sprintf(format, args...))
}

func (p *program) eval(vars *variables) (data.Value, error) {
	out, _, err := p.run.Eval(vars)
	if err != nil {
		if strings.Contains(err.Error(), "actual cost limit exceeded") {
			return data.Null, p.errorf("it does more than %s=%d allows", costSetting, p.limit)
		}
		return data.Null, p.errorf("%v", err)
	}
	v, err := toData(out, p.schema)
	if err != nil {
		return v, p.errorf("%v", err)
	}
	return v, nil
}
