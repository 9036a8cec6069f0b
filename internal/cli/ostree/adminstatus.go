package ostree

import (
	"errors"
	"fmt"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
	"rpmostree/ostree/sysroot"
)

// statusPrinter is the admin status command with its options.
type statusPrinter struct {
	*env
	s                      *sysroot.Sysroot
	st                     *sysroot.State
	verify, skipSignatures bool
}

func adminStatusCommand() *command {
	c := &command{name: "status", about: "List deployments", scope: sysrootScope}
	var p statusPrinter
	asJSON, isDefault := false, false
	c.flag(&p.verify, "verify", 'V', "Print the commit verification status")
	c.flag(&asJSON, "json", 'J', "Emit JSON")
	c.flag(&p.skipSignatures, "skip-signatures", 'S', "Skip signatures in output")
	c.flag(&isDefault, "is-default", 'D', "Output \"default\" if booted into the default deployment, otherwise \"not-default\"")
	c.run = func(e *env) error {
		return e.readState(e.openSysroot, func(s *sysroot.Sysroot, st *sysroot.State) error {
			p.env, p.s, p.st = e, s, st
			switch {
			case asJSON:
				return p.printJSON()
			case isDefault:
				return p.printDefault()
			case len(st.Deployments) == 0:
				p.printf("No deployments.\n")
			}
			for _, d := range st.Deployments {
				if err := p.print(d); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}

func (p *statusPrinter) printDefault() error {
	switch {
	case len(p.st.Deployments) == 0:
		return errors.New("Not in a booted OSTree system")
	case p.st.Deployments[0].Booted:
		p.printf("default\n")
	default:
		p.printf("not-default\n")
	}
	return nil
}

// roles tells what a deployment is among the others of the booted stateroot.
func roles(st *sysroot.State, d sysroot.Deployment) (pending, rollback bool) {
	if _, booted := st.Booted(); !booted {
		return false, false
	}
	p, ok := st.Pending("")
	pending = ok && p.Same(d)
	r, ok := st.Rollback("")
	return pending, ok && r.Same(d)
}

// state is what there is to say of a deployment behind its name.
func (p *statusPrinter) state(d sysroot.Deployment) string {
	text := ""
	pending, rollback := roles(p.st, d)
	switch {
	case d.FinalizationLocked:
		text = " (finalization locked)"
	case d.Staged:
		text = " (staged)"
	case pending:
		text = " (pending)"
	case rollback:
		text = " (rollback)"
	}
	if d.SoftReboot {
		text += " (soft-reboot)"
	}
	return text
}

func (p *statusPrinter) print(d sysroot.Deployment) error {
	mark := ' '
	if d.Booted {
		mark = '*'
	}
	p.printf("%c %s %s%s\n", mark, d.OSName, d.Name(), p.state(d))
	commit, commitErr := p.s.Repo().Commit(d.Checksum)
	version, title := "", ""
	if commitErr == nil { // a deployment is told of even if its commit is lost
		version, title = commit.Version(), commit.MetadataString(ostree.KeySourceTitle)
	}
	if version != "" {
		p.printf("    Version: %s\n", version)
	}
	if d.Unlocked != sysroot.UnlockedNone && d.Unlocked != "" {
		red, plain := "", ""
		if p.terminal {
			red, plain = "\x1b[31m\x1b[1m", "\x1b[22m\x1b[0m"
		}
		p.printf("    %sUnlocked: %s%s\n", red, d.Unlocked, plain)
	}
	if d.Pinned() {
		p.printf("    Pinned: yes\n")
	}
	switch {
	case d.Origin == nil:
		p.printf("    origin: none\n")
	default:
		if refspec, err := d.Origin.String("origin", "refspec"); err != nil {
			p.printf("    origin: <unknown origin type>\n")
		} else {
			p.printf("    origin refspec: %s\n", refspec)
		}
	}
	if d.Origin != nil && title != "" {
		p.printf("    `- %s\n", title)
	}
	if p.verify && commitErr != nil {
		return errors.New("Cannot verify, failed to load commit")
	}
	return p.printSignatures(d)
}

// printSignatures tells of the signatures that the remote of a deployment is
// asked for.
func (p *statusPrinter) printSignatures(d sysroot.Deployment) error {
	var m *repo.Remote
	remote := ""
	if refspec := d.Refspec(); refspec != "" {
		var err error
		if remote, _, err = ostree.ParseRefspec(refspec); err != nil && p.verify {
			return err
		}
	} else if p.verify {
		return errors.New("No origin/refspec, cannot verify")
	}
	if remote != "" {
		var err error
		if m, err = p.s.Repo().Remote(remote); err != nil && p.verify {
			return err
		}
	}
	switch {
	case p.verify && remote == "":
		return errors.New("Cannot verify deployment without remote")
	case p.verify:
		return p.verifyDeployment(m, d)
	case m == nil || !m.GPGVerify || p.skipSignatures:
		return nil
	}
	res, err := sign.CheckCommit(p.s.Repo(), d.Checksum, sign.GPGOptions{Remote: m})
	if err != nil {
		return fmt.Errorf("Deployment %d: %w", d.Index, err)
	}
	p.printf("%s", res.Describe("    GPG: "))
	return nil
}

func (p *statusPrinter) verifyDeployment(m *repo.Remote, d sysroot.Deployment) error {
	commit, err := p.s.Repo().ReadMetadata(ostree.ObjectCommit, d.Checksum)
	if err != nil {
		return err
	}
	detached, err := p.s.Repo().DetachedMetadata(d.Checksum)
	if err != nil {
		return err
	}
	text, err := sign.NewVerifier(p.s.Repo()).DescribeCommit(m, commit, detached)
	if err == nil {
		p.printf("%s\n", text)
	}
	return err
}

func (p *statusPrinter) printJSON() error {
	p.printf("{\n   \"deployments\": [\n")
	for i, d := range p.st.Deployments {
		commit, err := p.s.Repo().Commit(d.Checksum)
		if err != nil {
			return err
		}
		pending, rollback := roles(p.st, d)
		unlocked := d.Unlocked
		if unlocked == "" {
			unlocked = sysroot.UnlockedNone
		}
		fields := []jsonField{
			{"checksum", d.Checksum.String()}, {"stateroot", d.OSName}, {"refspec", d.Refspec()}, {"serial", d.Serial}, {"index", i},
			{"booted", d.Booted}, {"pending", pending}, {"rollback", rollback}, {"finalization-locked", d.FinalizationLocked},
			{"soft-reboot-target", d.SoftReboot}, {"staged", d.Staged}, {"pinned", d.Pinned()}, {"unlocked", string(unlocked)},
		}
		if v := commit.Version(); v != "" {
			fields = append(fields, jsonField{"version", v})
		}
		if t := commit.MetadataString(ostree.KeySourceTitle); t != "" {
			fields = append(fields, jsonField{"source-title", t})
		}
		if i > 0 {
			p.printf(",")
		} else {
			p.printf("      ")
		}
		p.printf("{\n%s\n      }", joinJSON(fields, "         "))
	}
	p.printf("\n   ]\n}\n")
	return nil
}

// jsonField is a member of an object; an empty string is null.
type jsonField struct {
	name  string
	value any
}

// joinJSON lays the members out as util-linux's JSON writer does, which has other
// line breaks than encoding/json.
func joinJSON(fields []jsonField, indent string) string {
	var lines []string
	for _, f := range fields {
		value := fmt.Sprint(f.value)
		if s, ok := f.value.(string); ok {
			value = quoteJSON(s)
		}
		lines = append(lines, fmt.Sprintf("%s%q: %s", indent, f.name, value))
	}
	return strings.Join(lines, ",\n")
}

func quoteJSON(s string) string {
	if s == "" {
		return "null"
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString("\\" + string(c))
		case c >= 0x20:
			b.WriteByte(c)
		default:
			if at := strings.IndexByte("\b\t\n\f\r", c); at >= 0 {
				b.WriteString("\\" + "btnfr"[at:at+1])
			} else {
				fmt.Fprintf(&b, "\\u00%02x", c)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
