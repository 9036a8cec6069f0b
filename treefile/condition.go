package treefile

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
)

// conditionalInclude is an element of conditional-include: what to include if
// all conditions hold.
type conditionalInclude struct {
	If      conditions      `json:"if"`
	Include json.RawMessage `json:"include"` // path, list of paths, or a manifest
}

// condition compares a variable with a constant.
type condition struct {
	variable, op string
	value        Var
}

type conditions []condition

// UnmarshalJSON implements json.Unmarshaler: one condition or a list.
func (c *conditions) UnmarshalJSON(b []byte) error {
	var list stringOrList
	if err := json.Unmarshal(b, &list); err != nil {
		return clearer(err)
	}
	for _, s := range list {
		cond, err := parseCondition(s)
		if err != nil {
			return err
		}
		*c = append(*c, cond)
	}
	return nil
}

var conditionSyntax = regexp.MustCompile(`^\s*([[:alnum:]_]+)\s*(\S+)\s*(?:(true|false)|([[:digit:]]+)|"(.*)")\s*$`)

func parseCondition(s string) (condition, error) {
	m := conditionSyntax.FindStringSubmatch(s)
	if m == nil {
		return condition{}, fmt.Errorf("invalid condition: %s", s)
	}
	c := condition{variable: m[1], op: m[2], value: Text(m[5])}
	switch {
	case m[3] != "":
		c.value = Bool(m[3] == "true")
	case m[4] != "":
		n, err := strconv.ParseUint(m[4], 10, 64)
		if err != nil {
			return condition{}, fmt.Errorf("invalid condition: %s: number is too large", s)
		}
		c.value = Number(n)
	}
	switch c.op {
	case "==", "!=", ">", ">=", "<", "<=":
		return c, nil
	}
	return condition{}, fmt.Errorf("expected one of ==, !=, >, >=, <, <= but got %s", c.op)
}

// holds evaluates all conditions, so that a mistake in one is always found.
func (c conditions) holds(vars map[string]Var) (bool, error) {
	all := true
	for _, cond := range c {
		ok, err := cond.holds(vars)
		if err != nil {
			return false, err
		}
		all = all && ok
	}
	return all, nil
}

func (c condition) holds(vars map[string]Var) (bool, error) {
	v, ok := vars[c.variable]
	if !ok {
		return false, fmt.Errorf("undefined variable '%s'", c.variable)
	}
	if v.kind != c.value.kind {
		return false, fmt.Errorf("%s is not same type as %v", c.variable, c.value)
	}
	switch c.op {
	case "==":
		return v == c.value, nil
	case "!=":
		return v != c.value, nil
	}
	if v.kind != varNumber {
		return false, fmt.Errorf("invalid op for values '%v' and '%v'", v, c.value)
	}
	switch c.op {
	case ">":
		return v.num > c.value.num, nil
	case ">=":
		return v.num >= c.value.num, nil
	case "<":
		return v.num < c.value.num, nil
	}
	return v.num <= c.value.num, nil
}
