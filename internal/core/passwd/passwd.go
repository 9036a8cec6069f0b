// Package passwd keeps the users and groups of an OS tree.
//
// Packages own files by name, and create the names in their %pre scripts or
// through sysusers. In an image both have to hold on machines that exist
// already: so every name that a layered package brings is also written as a
// sysusers.d entry with its number, and a name that an earlier tree of the
// same machine had keeps the number it had there.
package passwd

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A User is a line of passwd(5).
type User struct {
	Name     string
	Password string
	UID, GID uint32
	GECOS    string
	Home     string
	Shell    string
}

// A Group is a line of group(5).
type Group struct {
	Name     string
	Password string
	GID      uint32
	Members  []string
}

// A Database is the content of a passwd and a group file, in file order. Its
// zero value is empty.
type Database struct {
	Users  []User
	Groups []Group
}

// Parse reads the texts of a passwd and a group file. Lines that are empty,
// comments, or NIS markers ("+", "-") are left out.
func Parse(passwd, group []byte) (Database, error) {
	var db Database
	for n, f := range fields(passwd) {
		if len(f) != 7 {
			return Database{}, fmt.Errorf("passwd: line %d has %d fields, want 7", n+1, len(f))
		}
		uid, err1 := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err := cmp.Or(err1, err2); err != nil {
			return Database{}, fmt.Errorf("passwd: user %q: %w", f[0], err)
		}
		db.Users = append(db.Users, User{f[0], f[1], uint32(uid), uint32(gid), f[4], f[5], f[6]})
	}
	for n, f := range fields(group) {
		if len(f) != 4 {
			return Database{}, fmt.Errorf("group: line %d has %d fields, want 4", n+1, len(f))
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			return Database{}, fmt.Errorf("group: group %q: %w", f[0], err)
		}
		var members []string
		if f[3] != "" {
			members = strings.Split(f[3], ",")
		}
		db.Groups = append(db.Groups, Group{f[0], f[1], uint32(gid), members})
	}
	return db, nil
}

func fields(text []byte) (rows [][]string) {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.ContainsRune("#+-", rune(line[0])) {
			continue
		}
		rows = append(rows, strings.Split(line, ":"))
	}
	return rows
}

// PasswdFile returns the text of the passwd file.
func (db Database) PasswdFile() []byte {
	var b bytes.Buffer
	for _, u := range db.Users {
		fmt.Fprintf(&b, "%s:%s:%d:%d:%s:%s:%s\n", u.Name, u.Password, u.UID, u.GID, u.GECOS, u.Home, u.Shell)
	}
	return b.Bytes()
}

// GroupFile returns the text of the group file.
func (db Database) GroupFile() []byte {
	var b bytes.Buffer
	for _, g := range db.Groups {
		fmt.Fprintf(&b, "%s:%s:%d:%s\n", g.Name, g.Password, g.GID, strings.Join(g.Members, ","))
	}
	return b.Bytes()
}

// User returns the user of that name.
func (db Database) User(name string) (User, bool) {
	i := slices.IndexFunc(db.Users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, false
	}
	return db.Users[i], true
}

// Group returns the group of that name.
func (db Database) Group(name string) (Group, bool) {
	i := slices.IndexFunc(db.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		return Group{}, false
	}
	return db.Groups[i], true
}

// UID returns the number of a user. "root" is 0 even in an empty database.
func (db Database) UID(name string) (uint32, bool) {
	u, ok := db.User(name)
	return u.UID, ok || name == "root"
}

// GID returns the number of a group. "root" is 0 even in an empty database.
func (db Database) GID(name string) (uint32, bool) {
	g, ok := db.Group(name)
	return g.GID, ok || name == "root"
}

// Merge returns db with the users and groups of other whose names db lacks.
func (db Database) Merge(other Database) Database {
	out := Database{slices.Clone(db.Users), slices.Clone(db.Groups)}
	for _, u := range other.Users {
		if _, ok := db.User(u.Name); !ok {
			out.Users = append(out.Users, u)
		}
	}
	for _, g := range other.Groups {
		if _, ok := db.Group(g.Name); !ok {
			out.Groups = append(out.Groups, g)
		}
	}
	return out
}

// Join returns db with the members of the groups joined added to its groups of
// the same names.
func (db Database) Join(joined []Group) Database {
	out := Database{slices.Clone(db.Users), slices.Clone(db.Groups)}
	for _, j := range joined {
		for i, g := range out.Groups {
			if g.Name == j.Name {
				out.Groups[i].Members = slices.Concat(g.Members, j.Members)
			}
		}
	}
	return out
}

// Added returns the users and groups of db that before does not have. A group
// of both that gained members is returned with those members only and
// reported in joined.
func (db Database) Added(before Database) (added Database, joined []Group) {
	for _, u := range db.Users {
		if _, ok := before.User(u.Name); !ok {
			added.Users = append(added.Users, u)
		}
	}
	for _, g := range db.Groups {
		old, ok := before.Group(g.Name)
		if !ok {
			added.Groups = append(added.Groups, g)
			continue
		}
		var fresh []string
		for _, m := range g.Members {
			if !slices.Contains(old.Members, m) {
				fresh = append(fresh, m)
			}
		}
		if fresh != nil {
			joined = append(joined, Group{Name: g.Name, GID: g.GID, Members: fresh})
		}
	}
	return added, joined
}

// Keep returns db with the numbers that previous has for the same names, as
// far as no other name of db holds them. Only the names of fresh are changed.
func (db Database) Keep(fresh, previous Database) Database {
	out := Database{slices.Clone(db.Users), slices.Clone(db.Groups)}
	moved := map[uint32]uint32{}
	for i, g := range out.Groups {
		old, known := previous.Group(g.Name)
		if _, isNew := fresh.Group(g.Name); !isNew || !known || old.GID == g.GID {
			continue
		}
		if slices.ContainsFunc(out.Groups, func(o Group) bool { return o.GID == old.GID }) {
			continue
		}
		moved[g.GID] = old.GID
		out.Groups[i].GID = old.GID
	}
	for i, u := range out.Users {
		if _, isNew := fresh.User(u.Name); !isNew {
			continue
		}
		if gid, ok := moved[u.GID]; ok {
			out.Users[i].GID = gid
		}
		old, known := previous.User(u.Name)
		if known && !slices.ContainsFunc(out.Users, func(o User) bool { return o.UID == old.UID }) {
			out.Users[i].UID = old.UID
		}
	}
	return out
}

// A File is a sysusers.d(5) file to add to a tree.
type File struct {
	Name string // below /usr/lib/sysusers.d
	Text []byte
}

// The first line of every file that Sysusers makes.
const sysusersHead = "# Generated by rpm-ostree\n"

// Sysusers returns the sysusers.d files that create the users and groups of
// db, and the memberships joined, with the numbers they have in the tree. The
// names of the files are those that rpm-ostree gives them.
func (db Database) Sysusers(joined []Group) []File {
	var files []File
	add := func(name, format string, args ...any) {
		files = append(files, File{name, fmt.Appendf([]byte(sysusersHead), format+"\n", args...)})
	}
	member := func(user, group string) {
		add("40-rpmostree-pkg-usermod-"+user+"-"+group+".conf", "m %s %s", user, group)
	}
	for _, g := range db.Groups {
		add("30-rpmostree-pkg-group-"+g.Name+".conf", "g %s %d", g.Name, g.GID)
		for _, m := range g.Members {
			member(m, g.Name)
		}
	}
	for _, u := range db.Users {
		add("35-rpmostree-pkg-user-"+u.Name+".conf", "u %s %d:%d %q %s %s",
			u.Name, u.UID, u.GID, u.GECOS, dash(u.Home), dash(u.Shell))
	}
	for _, g := range joined {
		for _, m := range g.Members {
			member(m, g.Name)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

func dash(s string) string { return cmp.Or(s, "-") }

// ValidName reports whether name can be part of a sysusers.d file name and
// line: a conservative form of what useradd accepts.
func ValidName(name string) bool {
	if name == "" || len(name) > 31 || name[0] == '-' || name[0] == '.' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$") == ""
}
