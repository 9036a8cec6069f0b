package core

import (
	"errors"
	"io/fs"
	"path"

	"rpmostree/internal/core/passwd"
	"rpmostree/internal/core/postprocess"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// Where the users of a tree are. Systems with the altfiles name service keep
// those of the image in /usr/lib, and only what the administrator made in /etc.
const (
	passwdPath    = "usr/etc/passwd"
	groupPath     = "usr/etc/group"
	altPasswdPath = "usr/lib/passwd"
	altGroupPath  = "usr/lib/group"
)

// userFiles are all files in usr/etc that programs change when they make users.
var userFiles = [...]string{"passwd", "group", "shadow", "gshadow", "subuid", "subgid"}

// users are those of a tree before programs make more of them.
type users struct {
	etc, alt passwd.Database
	altfiles bool
	saved    map[string]tree.Entry // userFiles as they were
}

// openUsers reads the users of a tree.
func openUsers(tx *repo.Transaction, t tree.Tree) (*users, error) {
	u := &users{saved: map[string]tree.Entry{}}
	var err error
	if u.etc, err = readUsersAt(tx, t, passwdPath, groupPath); err != nil {
		return nil, err
	}
	if u.altfiles, err = t.Exists(altPasswdPath); err != nil || !u.altfiles {
		return u, err
	}
	if u.alt, err = readUsersAt(tx, t, altPasswdPath, altGroupPath); err != nil {
		return nil, err
	}
	for _, name := range userFiles {
		e, err := t.Lookup(path.Join("usr/etc", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		u.saved[name] = e
	}
	return u, nil
}

func (u *users) all() passwd.Database { return u.etc.Merge(u.alt) }

// show returns the tree with all users in /etc, where the programs that make
// users look for them.
func (u *users) show(t tree.Tree, tx *repo.Transaction) (tree.Tree, error) {
	if !u.altfiles {
		return t, nil
	}
	return writeUsers(t, tx, u.all(), passwdPath, groupPath)
}

// keep returns the tree with the users that came to /etc since show put where
// they belong, with the numbers that previous has for them, and recorded as
// sysusers.d entries: on a machine whose /etc/passwd was edited, they are
// made from those.
func (u *users) keep(t tree.Tree, tx *repo.Transaction, previous passwd.Database) (tree.Tree, error) {
	now, err := readUsersAt(tx, t, passwdPath, groupPath)
	if err != nil {
		return t, err
	}
	before := u.all()
	added, joined := now.Added(before)
	if len(added.Users)+len(added.Groups)+len(joined) > 0 {
		now = now.Keep(added, previous)
		added, joined = now.Added(before)
		e := postprocess.Edit(t, tx)
		for _, f := range added.Sysusers(joined) {
			e.File(path.Join(sysusersDir, f.Name), 0o644, string(f.Text))
		}
		if t, err = e.Tree(); err != nil {
			return t, err
		}
	}
	if !u.altfiles {
		if len(added.Users)+len(added.Groups) == 0 {
			return t, nil
		}
		return writeUsers(t, tx, now, passwdPath, groupPath)
	}
	if t, err = u.restore(t); err != nil {
		return t, err
	}
	return writeUsers(t, tx, u.alt.Merge(added).Join(joined), altPasswdPath, altGroupPath)
}

// restore puts the files in /etc back as they were.
func (u *users) restore(t tree.Tree) (tree.Tree, error) {
	b := tree.NewBuilder(t)
	for _, name := range userFiles {
		p := path.Join("usr/etc", name)
		old, had := u.saved[name]
		var err error
		if had {
			err = b.SetFile(p, old.Checksum)
		} else if err = b.Remove(p); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return t, err
		}
	}
	return b.Tree(), nil
}

// readUsers returns all users and groups of a tree.
func readUsers(tx *repo.Transaction, t tree.Tree) (passwd.Database, error) {
	u, err := openUsers(tx, t)
	if err != nil {
		return passwd.Database{}, err
	}
	return u.all(), nil
}

func readUsersAt(tx *repo.Transaction, t tree.Tree, passwdFile, groupFile string) (passwd.Database, error) {
	var text [2][]byte
	for i, p := range []string{passwdFile, groupFile} {
		var err error
		text[i], err = ReadFile(tx.Objects, t, p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return passwd.Database{}, err
		}
	}
	return passwd.Parse(text[0], text[1])
}

func writeUsers(t tree.Tree, tx *repo.Transaction, db passwd.Database, passwdFile, groupFile string) (tree.Tree, error) {
	e := postprocess.Edit(t, tx)
	e.File(passwdFile, 0o644, string(db.PasswdFile()))
	e.File(groupFile, 0o644, string(db.GroupFile()))
	return e.Tree()
}
