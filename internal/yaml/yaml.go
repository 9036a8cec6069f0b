// Package yaml reads YAML that comes from outside. Documents that would make the YAML library
// overflow the stack, which cannot be caught, or work without end are refused before it sees them.
package yaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a document. The library compares each key of a mapping with all others and calls itself
// for each, keeps with each value the keys that lead to it, and copies a text for each empty line at
// its end.
const (
	MaxNesting    = 1000      // values in values
	MaxKeys       = 4096      // keys of a mapping, but for those that commas separate
	MaxKeyLength  = 1024      // bytes of a key, as YAML itself has it
	MaxPaths      = 64 << 20  // bytes of the keys that lead to each value, all together
	MaxEmptyLines = 256 << 20 // most empty lines in succession, times the bytes of the document
)

// Kinds of errors.
var (
	ErrLimit  = errors.New("limit exceeded")
	ErrSyntax = errors.New("invalid YAML")
	ErrType   = errors.New("unexpected value") // valid YAML of another shape than what is decoded into
)

// Aliases bounds the use of aliases. The zero value allows none.
type Aliases struct {
	Anchors   int // how many values may have a name
	Expansion int // how many bytes aliases may stand for, all together
}

// Scalar is a value as it is written, without quotes: of a number not what it amounts to. It is empty
// for null.
type Scalar string

// UnmarshalYAML reads any value that is not a mapping or a list.
func (s *Scalar) UnmarshalYAML(node ast.Node) error {
	switch n := node.(type) {
	case *ast.NullNode:
		*s = ""
	case *ast.TagNode:
		return s.UnmarshalYAML(n.Value)
	case *ast.AnchorNode:
		return s.UnmarshalYAML(n.Value)
	case *ast.LiteralNode:
		*s = Scalar(n.Value.Value)
	case ast.ScalarNode:
		*s = Scalar(n.GetToken().Value)
	default:
		return fmt.Errorf("[%d:%d] a %s where a text is expected", node.GetToken().Position.Line, node.GetToken().Position.Column, strings.ToLower(node.Type().String()))
	}
	return nil
}

// Decode stores the one document of a text in what v points to. If there is nothing in the text, v
// is left as it is. The size of the text is for the caller to bound. Errors wrap one of those above,
// and do not quote more of the text than a key.
func Decode(text []byte, aliases Aliases, v any) (err error) {
	// The library has panicked on malformed documents before.
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: malformed document", ErrSyntax)
		}
	}()
	s := string(text)
	if err := checkLines(s); err != nil {
		return err
	}
	tokens := lexer.Tokenize(s)
	if err := checkTokens(tokens, aliases); err != nil {
		return err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrSyntax, firstLine(err))
	}
	// "%YAML" is a document of its own to the library.
	file.Docs = slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body != nil && d.Body.Type() == ast.DirectiveType })
	switch {
	case len(file.Docs) > 1:
		return fmt.Errorf("%w: more than one document", ErrSyntax)
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		return nil
	}
	if err := checkAliases(file, aliases); err != nil {
		return err
	}
	if err := yaml.NodeToValue(file.Docs[0].Body, v); err != nil {
		return fmt.Errorf("%w: %s", ErrType, firstLine(err))
	}
	return nil
}

// firstLine leaves out the quotation of the source that follows.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// checkLines refuses what takes the lexer very long.
func checkLines(s string) error {
	if strings.Contains(s, strings.Repeat("<", MaxKeyLength)) {
		return fmt.Errorf("%w: a key of more than %d bytes", ErrLimit, MaxKeyLength)
	}
	longest := 0
	for blanks := range strings.FieldsFuncSeq(s, func(r rune) bool { return r != '\n' && r != '\r' && r != ' ' && r != '\t' }) {
		longest = max(longest, strings.Count(blanks, "\n"), strings.Count(blanks, "\r"))
	}
	if longest*len(s) > MaxEmptyLines {
		return fmt.Errorf("%w: too many empty lines in succession for a document of %d bytes", ErrLimit, len(s))
	}
	return nil
}

// level is a mapping or list that is open: in brackets, or by the column in which its keys and
// dashes are.
type level struct {
	brackets bool
	column   int
	flow     int // index of the innermost level in brackets, which may be this one; -1 if there is none
	keys     int // in brackets since the last comma
	above    int // bytes of the path to it
	path     int // bytes of the path to what is read now
}

// checkTokens bounds nesting, keys and paths, each as an upper limit of what the parser makes of
// the tokens.
func checkTokens(tokens token.Tokens, aliases Aliases) error {
	var open []level
	push := func(l level) {
		l.flow = -1
		if len(open) > 0 {
			l.above, l.flow = open[len(open)-1].path, open[len(open)-1].flow
		}
		if l.brackets {
			l.flow = len(open)
		}
		l.path = l.above + len("[12345]")
		open = append(open, l)
	}
	// block opens or continues what is at a column, and returns it.
	block := func(column int) *level {
		for len(open) > 0 && !open[len(open)-1].brackets && open[len(open)-1].column > column {
			open = open[:len(open)-1]
		}
		if n := len(open); n == 0 || open[n-1].brackets || open[n-1].column < column {
			push(level{column: column})
		}
		return &open[len(open)-1]
	}
	marks, paths := 0, 0 // tags and anchors, which nest too; bytes of all paths
	for _, t := range tokens {
		var key *token.Token
		switch t.Type {
		case token.AliasType:
			if aliases.Expansion == 0 {
				return fmt.Errorf("%w: line %d: aliases are not supported", ErrType, t.Position.Line)
			}
		case token.TagType, token.AnchorType:
			marks++
		case token.MappingStartType, token.SequenceStartType:
			push(level{brackets: true})
		case token.MappingEndType, token.SequenceEndType:
			for n := len(open); n > 0; n-- {
				if open[n-1].brackets {
					open = open[:n-1]
					break
				}
			}
		case token.SequenceEntryType:
			block(t.Position.Column)
		case token.CollectEntryType:
			if n := len(open); n > 0 && open[n-1].flow >= 0 {
				open[open[n-1].flow].keys = 0
			}
		case token.MappingKeyType:
			key = t.Next
			block(t.Position.Column).keys++
		case token.MappingValueType:
			key = t.Prev
			if n := len(open); key != nil && (n == 0 || !open[n-1].brackets) {
				block(key.Position.Column).keys++
			}
		}
		if len(open) == 0 {
			continue
		}
		top := &open[len(open)-1]
		if key != nil {
			if len(key.Value) > MaxKeyLength {
				return fmt.Errorf("%w: line %d: a key of more than %d bytes", ErrLimit, key.Position.Line, MaxKeyLength)
			}
			top.path = top.above + len(".''") + len(key.Value)
			if top.flow >= 0 {
				// Lines in brackets are read as one mapping whatever their columns are.
				open[top.flow].keys++
			}
		}
		paths += top.path
		switch {
		case len(open) > MaxNesting || marks > MaxNesting:
			return fmt.Errorf("%w: line %d: values are nested too deeply", ErrLimit, t.Position.Line)
		case top.keys > MaxKeys || top.flow >= 0 && open[top.flow].keys > MaxKeys:
			return fmt.Errorf("%w: line %d: too many keys in a mapping", ErrLimit, t.Position.Line)
		case paths > MaxPaths:
			return fmt.Errorf("%w: line %d: too many values below long keys", ErrLimit, t.Position.Line)
		}
	}
	return nil
}

// checkAliases bounds what aliases expand to.
func checkAliases(file *ast.File, limits Aliases) error {
	aliases := len(ast.FilterFile(ast.AliasType, file))
	if aliases == 0 {
		return nil
	}
	anchors := ast.FilterFile(ast.AnchorType, file)
	if len(anchors) > limits.Anchors {
		return fmt.Errorf("%w: %d anchors, the limit is %d", ErrLimit, len(anchors), limits.Anchors)
	}
	longest := 0
	for _, a := range anchors {
		if len(ast.Filter(ast.AliasType, a)) > 0 {
			return fmt.Errorf("%w: aliases inside of anchors are not supported", ErrLimit)
		}
		longest = max(longest, len(a.String()))
	}
	if n := longest * aliases; n > limits.Expansion {
		return fmt.Errorf("%w: aliases stand for up to %d bytes, the limit is %d", ErrLimit, n, limits.Expansion)
	}
	return nil
}
