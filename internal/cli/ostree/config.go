package ostree

import (
	"errors"
	"fmt"
	"strings"
)

func configCommand() *command {
	c := &command{name: "config", args: "(get KEY|set KEY VALUE|unset KEY)", about: "Change repo configuration settings", scope: repoScope}
	group := ""
	c.str(&group, "group", 0, "GROUP", "Group name followed by KEY")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("OPERATION must be specified")
		}
		op, args := e.args[0], e.args[1:]
		most := 1
		if op == "set" {
			most = 2
		}
		switch {
		case len(args) > most:
			return usagef("Too many arguments given")
		case op == "get" && len(args) == 0, op == "unset" && len(args) == 0:
			return errors.New("KEY must be specified")
		case op == "set" && len(args) < 2:
			return errors.New("KEY and VALUE must be specified")
		case op != "get" && op != "set" && op != "unset":
			return fmt.Errorf("Unknown operation %s", op)
		}
		key, section := args[0], group
		if section == "" {
			var ok bool
			if section, key, ok = strings.Cut(args[0], "."); !ok {
				return errors.New(`Key must be of the form "sectionname.keyname"`)
			}
		}
		return e.config(op, section, key, args[1:])
	}
	return c
}

func (e *env) config(op, section, key string, value []string) error {
	config := e.repo.Config()
	switch op {
	case "get":
		v, err := config.String(section, key)
		if err == nil {
			e.printf("%s\n", v)
		}
		return err
	case "unset":
		if !config.Remove(section, key) {
			return nil
		}
	case "set":
		if err := config.Set(section, key, value[0]); err != nil {
			return err
		}
	}
	return e.repo.SetConfig(config)
}
