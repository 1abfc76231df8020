package expr

import (
	"strings"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// absent makes has() false where it asks for a field that the schema lacks: to CEL that
// is a mistake, but records of another schema may have it. What is then not evaluated,
// such as the rest of has(value.a) && value.a > 1, goes: it would be a mistake too. It
// reports whether there was such a field.
func absent(ast *celast.AST, issues []*cel.Error) bool {
	found := false
	for _, i := range issues {
		if !strings.HasPrefix(i.Message, "undefined field") {
			continue
		}
		for _, n := range celast.MatchDescendants(celast.NavigateAST(ast), celast.KindMatcher(celast.SelectKind)) {
			if n.ID() == i.ExprID && n.AsSelect().IsTestOnly() {
				become(n, types.False)
				found = true
			}
		}
	}
	if found {
		celast.PostOrderVisit(ast.Expr(), celast.NewExprVisitor(decided))
	}
	return found
}

func become(x celast.Expr, value types.Bool) {
	x.SetKindCase(celast.NewExprFactory().NewLiteral(x.ID(), value))
}

// decided replaces what has a value whatever the rest of it says.
func decided(x celast.Expr) {
	if x.Kind() != celast.CallKind {
		return
	}
	args := x.AsCall().Args()
	is := func(i int, value types.Bool) bool {
		return args[i].Kind() == celast.LiteralKind && args[i].AsLiteral() == value
	}
	switch x.AsCall().FunctionName() {
	case operators.LogicalAnd:
		if is(0, types.False) || is(1, types.False) {
			become(x, types.False)
		}
	case operators.LogicalOr:
		if is(0, types.True) || is(1, types.True) {
			become(x, types.True)
		}
	case operators.LogicalNot:
		if is(0, types.False) || is(0, types.True) {
			become(x, !args[0].AsLiteral().(types.Bool))
		}
	case operators.Conditional:
		if is(0, types.False) {
			x.SetKindCase(args[2])
		} else if is(0, types.True) {
			x.SetKindCase(args[1])
		}
	}
}
