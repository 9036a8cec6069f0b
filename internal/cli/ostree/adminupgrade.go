package ostree

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"rpmostree/internal/journal"
	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
	"rpmostree/ostree/sysroot"
)

// upgrader brings a stateroot to the newest commit of a branch.
type upgrader struct {
	*env
	osname                string
	reboot, kexec, stage  bool
	downgrade             bool
	pullOnly, deployOnly  bool
	override              string
	allowOld, unconfigure bool // for a switch: other branches have other times

	s     *sysroot.Sysroot
	st    *sysroot.State
	merge sysroot.Deployment
	// origin is what the new deployment will follow: the branch ref of remote,
	// or a local branch.
	origin      *keyfile.File
	remote, ref string
}

func adminUpgradeCommand() *command {
	c := &command{name: "upgrade", about: "Construct new tree from current origin and deploy it, if it changed", scope: sysrootScope}
	var u upgrader
	c.stateroot(&u.osname, "os", "OSNAME")
	c.flag(&u.reboot, "reboot", 'r', "Reboot after a successful upgrade")
	c.flag(&u.kexec, "kexec", 'k', "Stage new kernel in kexec before rebooting")
	c.flag(&u.downgrade, "allow-downgrade", 0, "Permit deployment of chronologically older trees")
	c.str(&u.override, "override-commit", 0, "CHECKSUM", "Deploy CHECKSUM instead of the latest tree")
	c.flag(&u.pullOnly, "pull-only", 0, "Do not create a deployment, just download")
	c.flag(&u.deployOnly, "deploy-only", 0, "Do not pull, only deploy")
	c.flag(&u.stage, "stage", 0, "Enable staging (finalization at reboot time)")
	c.run = func(e *env) error {
		u.env = e
		switch {
		case u.pullOnly && u.deployOnly:
			return errors.New("Cannot simultaneously specify --pull-only and --deploy-only")
		case u.pullOnly && (u.reboot || u.kexec):
			return errors.New("Cannot simultaneously specify --pull-only and --reboot or --kexec")
		}
		return e.withState(u.upgrade)
	}
	return c
}

func adminSwitchCommand() *command {
	c := &command{name: "switch", args: "REFSPEC", about: "Construct new tree from REFSPEC and deploy it", scope: sysrootScope}
	var u upgrader
	c.flag(&u.reboot, "reboot", 'r', "Reboot after switching trees")
	c.flag(&u.kexec, "kexec", 'k', "Stage new kernel in kexec before rebooting")
	c.stateroot(&u.osname, "os", "OSNAME")
	c.run = func(e *env) error {
		u.env, u.unconfigure, u.allowOld = e, true, true
		if len(e.args) == 0 {
			return usagef("REFSPEC must be specified")
		}
		return e.withState(u.switchTo)
	}
	return c
}

// begin finds the deployment to start from and its origin.
func (u *upgrader) begin(s *sysroot.Sysroot, st *sysroot.State) error {
	u.s, u.st = s, st
	booted, isBooted := st.Booted()
	if u.osname == "" {
		if !isBooted {
			return errors.New("Not currently booted into an OSTree system and no OS specified")
		}
		u.osname = booted.OSName
	}
	var ok bool
	if u.merge, ok = st.MergeDeployment(u.osname); !ok {
		return fmt.Errorf("No previous deployment for OS '%s'", u.osname)
	}
	if u.merge.Origin == nil {
		return fmt.Errorf("No origin known for deployment %s", u.merge.Name())
	}
	if text, err := u.merge.Origin.String("origin", "unconfigured-state"); err == nil && !u.unconfigure {
		return fmt.Errorf("origin unconfigured-state: %s", text)
	}
	return u.follow(sysroot.WithoutTransient(u.merge.Origin))
}

// follow sets the origin.
func (u *upgrader) follow(origin *keyfile.File) error {
	refspec, err := origin.String("origin", "refspec")
	if err != nil {
		return errors.New("No origin/refspec in current deployment origin; cannot upgrade via ostree")
	}
	u.origin = origin
	u.remote, u.ref, err = ostree.ParseRefspec(refspec)
	return err
}

func (u *upgrader) upgrade(s *sysroot.Sysroot, st *sysroot.State) error {
	if err := u.begin(s, st); err != nil {
		return err
	}
	u.origin.Remove("origin", "override-commit")
	if u.override != "" {
		if err := u.origin.Set("origin", "override-commit", u.override); err != nil {
			return err
		}
	}
	u.allowOld = u.downgrade
	commit, err := u.fetch()
	if err != nil {
		if u.pullOnly {
			_ = s.Cleanup(u.ctx, st) // what earlier pulls left, before more comes
		}
		return err
	}
	if commit == u.merge.Checksum {
		u.printf("No update available.\n")
		return nil
	}
	if !u.pullOnly {
		if err := u.deploy(commit); err != nil {
			return err
		}
	}
	return u.restart()
}

// fetch pulls the branch and returns the commit to deploy.
func (u *upgrader) fetch() (ostree.Checksum, error) {
	var override ostree.Checksum
	want := u.ref
	if text := u.origin.Get("origin", "override-commit"); text != "" {
		var err error
		if override, err = ostree.ParseChecksum(text); err != nil {
			return override, err
		}
		want = text
	}
	from := ""
	if !u.allowOld {
		from = u.merge.Checksum.String()
	}
	if err := u.pull(want, from); err != nil {
		return override, err
	}
	commit, err := u.newest()
	if err != nil {
		return commit, err
	}
	if !override.IsZero() {
		commit = override
	}
	if commit != u.merge.Checksum && !u.allowOld {
		if err := pull.CheckTimestamp(u.s.Repo(), u.merge.Checksum, commit); err != nil {
			return commit, err
		}
	}
	if !override.IsZero() {
		err = u.s.Repo().SetRef(u.remote, u.ref, override)
	}
	return commit, err
}

// pull pulls a branch or commit from the remote, if there is one.
func (u *upgrader) pull(what, notOlderThan string) error {
	if u.remote == "" || u.deployOnly {
		return nil
	}
	verifier := sign.NewVerifier(u.s.Repo())
	o := pull.Options{Refs: []string{what}, TimestampCheckFrom: notOlderThan, Verify: verifier, Journal: journal.Socket}
	c := u.console()
	defer c.end()
	c.watch(&o, verifier)
	_, err := pull.Pull(u.ctx, u.s.Repo(), u.remote, o)
	return err
}

// newest returns the commit of the branch. A branch at its end of life may name
// the one to go on with.
func (u *upgrader) newest() (ostree.Checksum, error) {
	r := u.s.Repo()
	sum, err := r.ResolveRev(ostree.Refspec(u.remote, u.ref))
	if err != nil {
		return sum, err
	}
	c, err := r.Commit(sum)
	if err != nil {
		return sum, err
	}
	next := c.MetadataString(ostree.KeyEndOfLifeRebase)
	if next == "" {
		return sum, nil
	}
	u.ref = next
	if err := u.pull(next, ""); err != nil {
		return sum, err
	}
	if err := u.origin.Set("origin", "refspec", ostree.Refspec(u.remote, next)); err != nil {
		return sum, err
	}
	return r.ResolveRev(ostree.Refspec(u.remote, next))
}

func (u *upgrader) deploy(commit ostree.Checksum) error {
	_, always := os.LookupEnv("OSTREE_EX_STAGE_DEPLOYMENTS")
	stage := u.stage || always
	d, _, err := u.s.Deploy(u.ctx, sysroot.DeployOptions{
		Stateroot: u.osname, Commit: commit, Origin: u.origin, Merge: &u.merge, Stage: stage,
	})
	if err != nil || !u.kexec || stage {
		return err
	}
	if err := u.s.LoadKexec(d); err != nil {
		return fmt.Errorf("Loading kernel into kexec: %w", err)
	}
	return nil
}

// restart restarts the machine if that was asked for and the sysroot is its own.
func (u *upgrader) restart() error {
	if !u.reboot || !u.s.IsBooted() {
		return nil
	}
	if out, err := exec.CommandContext(u.ctx, "systemctl", "reboot").CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl reboot: %w: %s", err, out)
	}
	return nil
}

func (u *upgrader) switchTo(s *sysroot.Sysroot, st *sysroot.State) error {
	if err := u.begin(s, st); err != nil {
		return err
	}
	oldRemote, oldRef := u.remote, u.ref
	remote, ref, err := switchTarget(u.args[0], oldRemote, oldRef)
	if err != nil {
		return err
	}
	refspec := ostree.Refspec(remote, ref)
	if refspec == ostree.Refspec(oldRemote, oldRef) {
		return fmt.Errorf("Old and new refs are equal: %s", refspec)
	}
	if err := u.follow(sysroot.NewOrigin(refspec)); err != nil {
		return err
	}
	commit, err := u.fetch()
	if err != nil {
		return err
	}
	if err := u.deploy(commit); err != nil {
		return err
	}
	named := oldRemote
	if named == "" {
		named = "(null)" // as printf of the C library does
	}
	u.printf("Deleting ref '%s:%s'\n", named, oldRef)
	if err := s.Repo().SetRef(oldRemote, oldRef, ostree.Checksum{}); err != nil {
		return err
	}
	return u.restart()
}

// switchTarget reads the argument of switch: "REMOTE:" keeps the branch, and a
// branch alone keeps the remote.
func switchTarget(arg, oldRemote, oldRef string) (remote, ref string, err error) {
	if remote, ok := strings.CutSuffix(arg, ":"); ok {
		return remote, oldRef, nil
	}
	if remote, ref, err = ostree.ParseRefspec(arg); err == nil && remote == "" {
		remote = oldRemote
	}
	return remote, ref, err
}

func adminSetOriginCommand() *command {
	c := &command{name: "set-origin", args: "REMOTENAME URL [BRANCH]", about: "Set Origin and create a new origin file", scope: sysrootScope}
	var set []string
	index := -1
	c.list(&set, "set", 's', "KEY=VALUE", "Set config option KEY=VALUE for remote")
	c.int(&index, "index", "INDEX", "Operate on the deployment INDEX, starting from zero")
	c.run = func(e *env) error {
		if len(e.args) < 2 {
			return usagef("REMOTENAME and URL must be specified")
		}
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error {
			return e.setOrigin(s, st, index, set)
		})
	}
	return c
}

func (e *env) setOrigin(s *sysroot.Sysroot, st *sysroot.State, index int, set []string) error {
	d, ok := st.Booted()
	if index != -1 {
		var err error
		if d, err = deployment(st, fmt.Sprint(index)); err != nil {
			return err
		}
	} else if !ok {
		return errors.New("Not currently booted into an OSTree system")
	}
	ref := ""
	if d.Refspec() != "" {
		var err error
		if _, ref, err = ostree.ParseRefspec(d.Refspec()); err != nil {
			return err
		}
	}
	if len(e.args) > 2 {
		ref = e.args[2]
	}
	if ref == "" {
		return errors.New("No host refspec found, branch is required")
	}
	if err := addRemoteIfMissing(s.Repo(), e.args[0], e.args[1], set); err != nil {
		return err
	}
	return s.WriteOrigin(d, sysroot.NewOrigin(ostree.Refspec(e.args[0], ref)))
}

func addRemoteIfMissing(r *repo.Repo, name, url string, set []string) error {
	if _, err := r.Remote(name); err == nil {
		return nil
	}
	if err := ostree.ValidateRemoteName(name); err != nil {
		return err
	}
	keys := [][2]string{{"url", url}}
	for _, kv := range set {
		key, value, err := keyValue(kv)
		if err != nil {
			return err
		}
		keys = append(keys, [2]string{key, value})
	}
	return r.AddRemote(name, keys)
}
