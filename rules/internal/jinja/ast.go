package jinja

// Expressions.
type (
	expr    interface{ at() int }
	litExpr struct {
		pos int
		v   Value
	}
	nameExpr struct {
		pos  int
		name string
	}
	attrExpr struct {
		pos  int
		x    expr
		name string
	}
	indexExpr struct {
		pos  int
		x, i expr
	}
	sliceExpr struct {
		pos       int
		x, lo, hi expr // lo and hi may be nil
	}
	listExpr struct {
		pos   int
		items []expr
	}
	dictExpr struct {
		pos   int
		items []expr // keys and values by turns
	}
	unaryExpr struct {
		pos int
		op  string // "-", "+", "not"
		x   expr
	}
	binExpr struct {
		pos  int
		op   string
		a, b expr
	}
	condExpr struct {
		pos        int
		cond, a, b expr // b may be nil
	}
	filterExpr struct {
		pos  int
		x    expr // nil in a {% filter %} block
		name string
		args args
	}
	testExpr struct {
		pos  int
		x    expr
		name string
		not  bool
		args args
	}
	callExpr struct {
		pos  int
		name string
		args args
	}
	methodExpr struct {
		pos  int
		x    expr
		name string
		args args
	}
)

type args struct {
	pos []expr
	kw  []kwarg
}

type kwarg struct {
	at   int
	name string
	x    expr
}

func (e *litExpr) at() int    { return e.pos }
func (e *nameExpr) at() int   { return e.pos }
func (e *attrExpr) at() int   { return e.pos }
func (e *indexExpr) at() int  { return e.pos }
func (e *sliceExpr) at() int  { return e.pos }
func (e *listExpr) at() int   { return e.pos }
func (e *dictExpr) at() int   { return e.pos }
func (e *unaryExpr) at() int  { return e.pos }
func (e *binExpr) at() int    { return e.pos }
func (e *condExpr) at() int   { return e.pos }
func (e *filterExpr) at() int { return e.pos }
func (e *testExpr) at() int   { return e.pos }
func (e *callExpr) at() int   { return e.pos }
func (e *methodExpr) at() int { return e.pos }

// Statements.
type (
	stmt     interface{}
	textStmt struct{ text string }
	outStmt  struct{ x expr }
	ifStmt   struct {
		conds  []expr
		bodies [][]stmt // one more than conds where there is an else
	}
	forStmt struct {
		pos     int
		targets []string
		over    expr
		cond    expr // may be nil
		body    []stmt
		orElse  []stmt
	}
	setStmt struct {
		pos     int
		targets []string
		attr    string // of {% set ns.attr = … %}
		x       expr   // nil for a block
		filters []*filterExpr
		body    []stmt
	}
	filterStmt struct {
		filters []*filterExpr
		body    []stmt
	}
)
