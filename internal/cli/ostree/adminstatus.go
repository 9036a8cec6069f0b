package ostree

import (
	"encoding/json"
	"fmt"

	"rpmostree/ostree"
	"rpmostree/ostree/sysroot"
)

func adminStatusCommand() *command {
	c := &command{name: "status", about: "List deployments", scope: sysrootScope}
	asJSON, isDefault := false, false
	c.flag(&asJSON, "json", 'J', "Emit JSON")
	c.flag(&isDefault, "is-default", 'D', "Output \"default\" if booted into default, otherwise \"not-default\"")
	c.run = func(e *env) error {
		s, err := e.openSysroot()
		if err != nil {
			return err
		}
		defer s.Close()
		st, err := s.Load()
		if err != nil {
			return err
		}
		switch {
		case isDefault:
			return e.printDefault(st)
		case asJSON:
			return e.printJSON(s, st)
		case len(st.Deployments) == 0:
			e.printf("No deployments.\n")
		}
		for _, d := range st.Deployments {
			if err := e.printDeployment(s, st, d); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func (e *env) printDefault(st *sysroot.State) error {
	if _, ok := st.Booted(); !ok {
		return fmt.Errorf("Not in a booted OSTree system")
	}
	if st.Deployments[0].Booted {
		e.printf("default\n")
	} else {
		e.printf("not-default\n")
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

func (e *env) printDeployment(s *sysroot.Sysroot, st *sysroot.State, d sysroot.Deployment) error {
	mark, role := ' ', ""
	pending, rollback := roles(st, d)
	switch {
	case d.Booted:
		mark = '*'
	case d.Staged && d.FinalizationLocked:
		role = " (finalization locked)"
	case d.Staged:
		role = " (staged)"
	case pending:
		role = " (pending)"
	case rollback:
		role = " (rollback)"
	}
	e.printf("%c %s %s%s\n", mark, d.OSName, d.Name(), role)
	commit, err := s.Repo().Commit(d.Checksum)
	if err != nil {
		return err
	}
	if v := commit.Version(); v != "" {
		e.printf("    Version: %s\n", v)
	}
	if d.Unlocked != sysroot.UnlockedNone && d.Unlocked != "" {
		e.printf("    Unlocked: %s\n", d.Unlocked)
	}
	if d.Pinned() {
		e.printf("    Pinned: yes\n")
	}
	switch {
	case d.Origin == nil:
		e.printf("    origin: none\n")
	case d.Refspec() == "":
		e.printf("    origin: <unknown origin type>\n")
	default:
		e.printf("    origin refspec: %s\n", d.Refspec())
	}
	if t := commit.MetadataString(ostree.KeySourceTitle); t != "" {
		e.printf("    `- %s\n", t)
	}
	return nil
}

// deploymentJSON is a deployment in the output of status --json.
type deploymentJSON struct {
	Checksum    string  `json:"checksum"`
	Stateroot   string  `json:"stateroot"`
	Refspec     *string `json:"refspec"`
	Serial      int     `json:"serial"`
	Index       int     `json:"index"`
	Booted      bool    `json:"booted"`
	Pending     bool    `json:"pending"`
	Rollback    bool    `json:"rollback"`
	Finalized   bool    `json:"finalization-locked"`
	SoftReboot  bool    `json:"soft-reboot-target"`
	Staged      bool    `json:"staged"`
	Pinned      bool    `json:"pinned"`
	Unlocked    string  `json:"unlocked"`
	Version     string  `json:"version,omitempty"`
	SourceTitle string  `json:"source-title,omitempty"`
}

func (e *env) printJSON(s *sysroot.Sysroot, st *sysroot.State) error {
	list := []deploymentJSON{}
	for i, d := range st.Deployments {
		commit, err := s.Repo().Commit(d.Checksum)
		if err != nil {
			return err
		}
		var refspec *string
		if r := d.Refspec(); r != "" {
			refspec = &r
		}
		pending, rollback := roles(st, d)
		list = append(list, deploymentJSON{
			Checksum: d.Checksum.String(), Stateroot: d.OSName, Refspec: refspec, Serial: d.Serial, Index: i, Booted: d.Booted,
			Pending: pending, Rollback: rollback, Finalized: d.FinalizationLocked, Staged: d.Staged,
			Pinned: d.Pinned(), Unlocked: string(d.Unlocked), Version: commit.Version(),
			SourceTitle: commit.MetadataString(ostree.KeySourceTitle),
		})
	}
	out := json.NewEncoder(e.out)
	out.SetIndent("", "   ")
	out.SetEscapeHTML(false)
	return out.Encode(map[string]any{"deployments": list})
}
