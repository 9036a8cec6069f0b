package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rpmostree/internal/selinux"
	"rpmostree/ostree/repo"
)

// openPolicy reads the SELinux policy of the root file system at a path. It does not leave
// that root, whatever links are there.
func openPolicy(path string) (*selinux.Policy, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("selinux-policy: %w", err)
	}
	defer root.Close()
	return selinux.Open(root.FS())
}

// policyOf reads the SELinux policy in a commit.
func (e *env) policyOf(rev string) (*selinux.Policy, error) {
	p, err := e.policyOfCommit(rev)
	if err != nil {
		return nil, fmt.Errorf("setting sepolicy from commit: %w", err)
	}
	return p, nil
}

func (e *env) policyOfCommit(rev string) (*selinux.Policy, error) {
	const dir = "usr/etc/selinux"
	commit, err := e.repo.ResolveRev(rev)
	if err != nil {
		return nil, err
	}
	t, err := e.repo.Tree(commit)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "ostree-commit-sepolicy-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if _, err := t.Lookup("/" + dir); errors.Is(err, fs.ErrNotExist) {
		return &selinux.Policy{}, nil
	}
	if err := os.MkdirAll(filepath.Join(tmp, filepath.Dir(dir)), 0o755); err != nil {
		return nil, err
	}
	o := repo.CheckoutOptions{UserMode: true, Subpath: "/" + dir}
	if err := e.repo.CheckoutTree(e.ctx, t, filepath.Join(tmp, dir), o); err != nil {
		return nil, fmt.Errorf("policy checkout: %w", err)
	}
	return openPolicy(tmp)
}

// labels returns the function that looks up the attribute for a path, which is
// changed by translate first. It is nil without a policy.
func labels(p *selinux.Policy, translate func(path string) string) func(string, uint32) ([]byte, error) {
	if p.Name == "" {
		return nil
	}
	return func(path string, mode uint32) ([]byte, error) {
		label, err := p.Label(translate(path), mode)
		if label == "" || err != nil {
			return nil, err
		}
		return append([]byte(label), 0), nil
	}
}

// labelOptions are the options of commit about SELinux labels.
type labelOptions struct {
	policy   string
	fromBase bool
	epoch    int
}

func (o *labelOptions) check() error {
	if o.policy != "" && o.fromBase {
		return errors.New("Cannot specify both --selinux-policy and --selinux-policy-from-base")
	}
	if o.epoch != 0 && o.epoch != 1 {
		return fmt.Errorf("Unknown SELinux labeling epoch: %d", o.epoch)
	}
	return nil
}

// translate returns the path whose label a file of the tree gets: since epoch 1, what is in
// /usr/etc is labelled as what it becomes.
func (o *labelOptions) translate(path string) string {
	if etc, ok := strings.CutPrefix(path, "/usr"); ok && o.epoch == 1 && (etc == "/etc" || strings.HasPrefix(etc, "/etc/")) {
		return etc
	}
	return path
}

// setLabels finds the policy and makes the import use it.
func (m *committer) setLabels(trees []string) error {
	o := &m.label
	var p *selinux.Policy
	var err error
	kind, value, _ := strings.Cut(trees[0], "=")
	switch {
	case o.policy != "":
		p, err = openPolicy(o.policy)
	case !o.fromBase:
		return nil
	case m.base != "":
		p, err = m.policyOf(m.base)
	case kind == "tar":
		return errors.New("Cannot use --selinux-policy-from-base with tar")
	case kind == "ref":
		p, err = m.policyOf(value)
	default:
		p, err = openPolicy(value)
	}
	if err == nil {
		m.importOptions.Label = labels(p, o.translate)
	}
	return err
}

var errComposefs = errors.New("composefs is not supported in this ostree build")

// checkOwner refuses an owner that --canonical-permissions would replace.
func checkOwner(o *repo.ImportOptions) error {
	for _, id := range []struct {
		name  string
		value *uint32
	}{{"uid", o.UID}, {"gid", o.GID}} {
		if o.CanonicalPermissions && id.value != nil && *id.value > 0 {
			return fmt.Errorf("Cannot specify both --canonical-permissions and non-zero --owner-%s", id.name)
		}
	}
	return nil
}
