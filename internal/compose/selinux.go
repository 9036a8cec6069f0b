package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rpmostree/internal/core"
	"rpmostree/internal/core/postprocess"
	"rpmostree/internal/sandbox"
)

// labels reports whether the image is to have SELinux labels.
func (s *shaper) labels() bool { return s.tf.SELinux.Enabled() && !s.opt.NoSELinux }

// policy makes the policy of the image know what is special about images, and
// compiles what scripts have changed of it.
func (s *shaper) policy(ctx context.Context) error {
	if !s.labels() {
		return nil
	}
	name, err := s.built.Policy(ctx, s.tree)
	if err != nil || name == "" {
		return err
	}
	subs := postprocess.SubsDist(name)
	text, err := core.ReadFile(s.tx.Objects, s.tree, subs)
	if err == nil {
		err = s.edit(func(e *postprocess.Editor) { e.File(subs, 0o644, postprocess.PathsOfImages(string(text))) })
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.compilePolicy(ctx); err != nil {
		return err
	}
	return s.edit(func(e *postprocess.Editor) {
		for _, p := range postprocess.PolicyLocks(name) {
			e.Remove(p)
		}
	})
}

// compilePolicy runs the image's semodule.
func (s *shaper) compilePolicy(ctx context.Context) error {
	task := s.progress().Begin("Recompiling policy")
	tree, err := s.built.Edit(ctx, s.tree, func(root sandbox.Root) error {
		for _, args := range [][]string{{"semodule", "-nB"}, {"semodule", "-n", "--refresh"}} {
			var out strings.Builder
			if err := sandbox.Run(ctx, root, sandbox.Command{Args: args, Output: &out}); err != nil {
				return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, strings.TrimRight(out.String(), "\n"))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.tree = tree
	task.End("")
	return nil
}

// label labels the finished image.
func (s *shaper) label(ctx context.Context) (err error) {
	if !s.labels() {
		return nil
	}
	task := s.progress().Begin("Labeling")
	if s.tree, err = s.built.Label(ctx, s.tree, s.tf.SELinuxLabelVersion == 1); err != nil {
		return err
	}
	task.End("")
	return nil
}
