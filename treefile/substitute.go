package treefile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// substitute replaces "${name}" by the value of a variable in the keys that
// support it. What names no variable stays as it is.
func (c *Config) substitute() error {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(c.Variables)) {
		value := c.Variables[name].String()
		// Otherwise a value could make another use of a variable.
		if strings.ContainsAny(name+value, "${}") {
			return fmt.Errorf("invalid variable '%s': '$', '{' and '}' are not allowed", name)
		}
		pairs = append(pairs, "${"+name+"}", value)
	}
	r := strings.NewReplacer(pairs...)
	for _, s := range [...]*string{&c.Ref, &c.AutomaticVersionPrefix, &c.MutateOSRelease, &c.PlatformModule} {
		*s = r.Replace(*s)
	}
	if c.Rojig != nil {
		rojig := *c.Rojig
		rojig.Name, rojig.Summary = r.Replace(rojig.Name), r.Replace(rojig.Summary)
		if rojig.Description != nil {
			d := r.Replace(*rojig.Description)
			rojig.Description = &d
		}
		c.Rojig = &rojig
	}
	for _, m := range [...]map[string]any{c.Metadata, c.AddCommitMetadata} {
		for key, value := range m {
			if s, ok := value.(string); ok {
				m[key] = r.Replace(s)
			}
		}
	}
	return nil
}
