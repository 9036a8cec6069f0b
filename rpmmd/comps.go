package rpmmd

import (
	"io"
)

// MaxCompsEntries bounds each list of a comps file.
const MaxCompsEntries = 1 << 18

// Comps are the groups of a repository.
type Comps struct {
	Groups       []Group
	Environments []Environment
	Categories   []Category
	LangPacks    []LangPack
}

// A Group is a named set of packages.
type Group struct {
	ID, Name, Description string // Name and Description without translation
	Default               bool
	UserVisible           bool
	LangOnly              string
	DisplayOrder          int64
	Packages              []GroupPackage
}

// A GroupPackage is a member of a group.
type GroupPackage struct {
	Name     string
	Type     string // "mandatory", "default", "optional" or "conditional"
	Requires string // for "conditional": the package that must be there
	Arch     string // "" for all
}

// An Environment is a set of groups.
type Environment struct {
	ID, Name, Description string
	DisplayOrder          int64
	Groups                []string // IDs
	Options               []GroupOption
}

// A GroupOption is a group that may be added to an environment.
type GroupOption struct {
	ID      string
	Default bool
}

// A Category is a heading for groups.
type Category struct {
	ID, Name, Description string
	DisplayOrder          int64
	Groups                []string // IDs
}

// A LangPack names the packages of a language: Install has "%s" in place of it.
type LangPack struct{ Name, Install string }

// ParseComps reads a comps file.
func ParseComps(r io.Reader) (*Comps, error) {
	p := &compsParser{scanner: newScanner(r), intern: interner{}}
	if err := p.document(); err != nil {
		return nil, &ParseError{"comps", err}
	}
	return &p.comps, nil
}

type compsParser struct {
	*scanner
	intern interner
	comps  Comps
}

func (p *compsParser) document() error {
	if err := p.root("comps"); err != nil {
		return err
	}
	c := &p.comps
	err := p.children(func(name string) error {
		switch name {
		case "group":
			g := Group{UserVisible: true}
			return add(p, &c.Groups, &g, func(name string) error { return p.group(&g, name) })
		case "environment":
			e := Environment{}
			return add(p, &c.Environments, &e, func(name string) error { return p.environment(&e, name) })
		case "category":
			g := Category{}
			return add(p, &c.Categories, &g, func(name string) error { return p.category(&g, name) })
		case "langpacks":
			return p.children(p.langpack)
		}
		return p.skip()
	})
	if err != nil {
		return err
	}
	return p.drain()
}

// add reads the children of an element into v and appends v to a list.
func add[T any](p *compsParser, list *[]T, v *T, child func(name string) error) error {
	if err := p.children(child); err != nil {
		return err
	}
	if len(*list) >= MaxCompsEntries {
		return p.errorf("%w: too many entries", errLimit)
	}
	*list = append(*list, *v)
	return nil
}

// named reads what groups, environments and categories have in common; false
// means that the element is none of it.
func (p *compsParser) named(name string, id, title, description *string, order *int64) (bool, error) {
	dst := map[string]*string{"id": id, "name": title, "description": description}[name]
	switch {
	case name == "display_order":
		return true, p.number(order)
	case dst == nil:
		return false, nil
	}
	for _, a := range p.attrs {
		if string(a.name) == "lang" { // a translation
			return true, p.skip()
		}
	}
	return true, p.textOf(dst)
}

func (p *compsParser) group(g *Group, name string) error {
	if ok, err := p.named(name, &g.ID, &g.Name, &g.Description, &g.DisplayOrder); ok || err != nil {
		return err
	}
	switch name {
	case "default":
		return p.flag(&g.Default)
	case "uservisible":
		return p.flag(&g.UserVisible)
	case "langonly":
		return p.textOf(&g.LangOnly)
	case "packagelist":
		return p.children(func(name string) error {
			if name != "packagereq" {
				return p.skip()
			}
			return p.packageReq(g)
		})
	}
	return p.skip()
}

func (p *compsParser) packageReq(g *Group) error {
	pkg := GroupPackage{Type: "mandatory"}
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return err
		}
		switch string(a.name) {
		case "type":
			pkg.Type = p.intern.get(v)
		case "requires":
			pkg.Requires = p.intern.get(v)
		case "basearchonly", "arch":
			pkg.Arch = p.intern.get(v)
		}
	}
	if len(g.Packages) >= MaxCompsEntries {
		return p.errorf("%w: too many packages", errLimit)
	}
	err := p.textOf(&pkg.Name)
	g.Packages = append(g.Packages, pkg)
	return err
}

func (p *compsParser) environment(e *Environment, name string) error {
	if ok, err := p.named(name, &e.ID, &e.Name, &e.Description, &e.DisplayOrder); ok || err != nil {
		return err
	}
	switch name {
	case "grouplist":
		return p.groupIDs(&e.Groups)
	case "optionlist":
		return p.children(func(name string) error {
			if name != "groupid" || len(e.Options) >= MaxCompsEntries {
				return p.skip()
			}
			v, err := p.attr("default")
			if err != nil {
				return err
			}
			o := GroupOption{Default: string(v) == "true"}
			err = p.textOf(&o.ID)
			e.Options = append(e.Options, o)
			return err
		})
	}
	return p.skip()
}

func (p *compsParser) category(c *Category, name string) error {
	if ok, err := p.named(name, &c.ID, &c.Name, &c.Description, &c.DisplayOrder); ok || err != nil {
		return err
	}
	if name == "grouplist" {
		return p.groupIDs(&c.Groups)
	}
	return p.skip()
}

func (p *compsParser) groupIDs(dst *[]string) error {
	return p.children(func(name string) error {
		if name != "groupid" || len(*dst) >= MaxCompsEntries {
			return p.skip()
		}
		var id string
		err := p.textOf(&id)
		*dst = append(*dst, id)
		return err
	})
}

func (p *compsParser) langpack(name string) error {
	if name != "match" || len(p.comps.LangPacks) >= MaxCompsEntries {
		return p.skip()
	}
	var l LangPack
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return err
		}
		switch string(a.name) {
		case "name":
			l.Name = string(v)
		case "install":
			l.Install = string(v)
		}
	}
	p.comps.LangPacks = append(p.comps.LangPacks, l)
	return p.skip()
}
