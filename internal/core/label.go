package core

import (
	"context"
	"errors"

	"rpmostree/internal/core/label"
	"rpmostree/internal/core/materialize"
	"rpmostree/internal/selinux"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// policy reads the SELinux policy of a tree.
func (s *stage) policy(ctx context.Context, t tree.Tree) (*selinux.Policy, error) {
	w, err := materialize.NewWork(s.core.Work)
	if err != nil {
		return nil, err
	}
	dir, err := w.Mkdir("policy")
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	p, err := label.Open(ctx, t, s.tx, dir)
	return p, errors.Join(err, w.Close())
}

// label labels what was layered on a base, by the policy that the result has. A
// policy that has changed labels the base again too.
func (a *assembly) label(ctx context.Context) error {
	b := a.plan.spec.Base
	if b == nil {
		return nil // what becomes of the tree is the caller's to say
	}
	p, err := a.policy(ctx, a.tree)
	if err != nil || p.Name == "" {
		return err
	}
	from := b.Tree
	if same, err := label.Same(b.Tree, a.tree, p.Name); err != nil {
		return err
	} else if !same {
		from = tree.Empty(ostree.DirMeta{})
	}
	task := a.core.progress().Begin("Relabeling")
	if a.tree, err = label.Files(ctx, from, a.tree, p, a.tx, label.Options{}); err != nil {
		return err
	}
	task.End("")
	return nil
}

// Policy returns the name of the SELinux policy of the tree t, which was made from
// b, or "" if SELinux is not enabled in it.
func (b *Built) Policy(ctx context.Context, t tree.Tree) (string, error) {
	p, err := b.stage.policy(ctx, t)
	if err != nil {
		return "", err
	}
	return p.Name, nil
}

// Label labels all files of the tree t, which was made from b, by its own policy. A
// file without a label is an error, as is a tree without a policy. With etcOfUsr,
// what is in /usr/etc is labelled as what it becomes in /etc.
func (b *Built) Label(ctx context.Context, t tree.Tree, etcOfUsr bool) (tree.Tree, error) {
	p, err := b.stage.policy(ctx, t)
	if err != nil {
		return t, err
	}
	if p.Name == "" {
		return t, errors.New("SELinux enabled, but no policy found")
	}
	return label.Files(ctx, tree.Empty(ostree.DirMeta{}), t, p, b.stage.tx, label.Options{EtcOfUsr: etcOfUsr, All: true})
}
