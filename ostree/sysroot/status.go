package sysroot

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// StatusOptions changes what WriteStatus writes.
type StatusOptions struct {
	// Color marks warnings for a terminal.
	Color bool
	// Signatures returns the lines about the signatures of a deployment's
	// commit, each with its newline. nil leaves them out.
	Signatures func(Deployment) (string, error)
}

// WriteStatus writes the deployments as "ostree admin status" does.
func (s *Sysroot) WriteStatus(w io.Writer, st *State, o StatusOptions) error {
	if len(st.Deployments) == 0 {
		_, err := io.WriteString(w, "No deployments.\n")
		return err
	}
	for _, d := range st.Deployments {
		var b strings.Builder
		s.statusOf(&b, st, d, o.Color)
		if o.Signatures != nil {
			text, err := o.Signatures(d)
			if err != nil {
				return fmt.Errorf("Deployment %d: %w", d.Index, err)
			}
			b.WriteString(text)
		}
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sysroot) statusOf(b *strings.Builder, st *State, d Deployment, color bool) {
	marker := ' '
	if d.Booted {
		marker = '*'
	}
	fmt.Fprintf(b, "%c %s %s%s\n", marker, d.OSName, d.Name(), st.roleText(d))
	version, title := s.commitText(d, "version"), s.commitText(d, "ostree.source-title")
	if version != "" {
		fmt.Fprintf(b, "    Version: %s\n", version)
	}
	if d.Unlocked != UnlockedNone && d.Unlocked != "" {
		start, end := "", ""
		if color {
			start, end = "\x1b[31m\x1b[1m", "\x1b[22m\x1b[0m"
		}
		fmt.Fprintf(b, "    %sUnlocked: %s%s\n", start, d.Unlocked, end)
	}
	if d.Pinned() {
		b.WriteString("    Pinned: yes\n")
	}
	switch {
	case d.Origin == nil:
		b.WriteString("    origin: none\n")
		return
	case d.Refspec() == "":
		b.WriteString("    origin: <unknown origin type>\n")
	default:
		fmt.Fprintf(b, "    origin refspec: %s\n", d.Refspec())
	}
	if title != "" {
		fmt.Fprintf(b, "    `- %s\n", title)
	}
}

// roleText says in parentheses what a deployment is for.
func (st *State) roleText(d Deployment) string {
	pending, rollback := st.roles()
	switch {
	case d.FinalizationLocked:
		return " (finalization locked)"
	case d.Staged:
		return " (staged)"
	case d.Index == pending:
		return " (pending)"
	case d.Index == rollback:
		return " (rollback)"
	}
	return ""
}

// roles returns the places of the pending and the rollback deployment of the
// booted stateroot, or -1. Without a booted one there are none.
func (st *State) roles() (pending, rollback int) {
	b, ok := st.Booted()
	if !ok {
		return -1, -1
	}
	return st.around(b.OSName)
}

// commitText returns a string of the commit's metadata, or "".
func (s *Sysroot) commitText(d Deployment, key string) string {
	c, err := s.repo.Commit(d.Checksum)
	if err != nil {
		return ""
	}
	v, ok := c.Metadata.Lookup(key)
	if !ok || v.Type() != "s" {
		return ""
	}
	return v.Str()
}

func (s *Sysroot) commitVersion(d Deployment) string { return s.commitText(d, "version") }

// jsonDeployment is a deployment in the form of "ostree admin status --json".
type jsonDeployment struct {
	Checksum           string   `json:"checksum"`
	Stateroot          string   `json:"stateroot"`
	Refspec            *string  `json:"refspec"`
	Serial             int      `json:"serial"`
	Index              int      `json:"index"`
	Booted             bool     `json:"booted"`
	Pending            bool     `json:"pending"`
	Rollback           bool     `json:"rollback"`
	FinalizationLocked bool     `json:"finalization-locked"`
	SoftRebootTarget   bool     `json:"soft-reboot-target"`
	Staged             bool     `json:"staged"`
	Pinned             bool     `json:"pinned"`
	Unlocked           Unlocked `json:"unlocked"`
	Version            string   `json:"version,omitempty"`
	SourceTitle        string   `json:"source-title,omitempty"`
}

// WriteStatusJSON writes the deployments as "ostree admin status --json" does.
func (s *Sysroot) WriteStatusJSON(w io.Writer, st *State) error {
	pending, rollback := st.roles()
	list := []jsonDeployment{}
	for _, d := range st.Deployments {
		j := jsonDeployment{
			Checksum: d.Checksum.String(), Stateroot: d.OSName, Serial: d.Serial, Index: d.Index,
			Booted: d.Booted, Pending: d.Index == pending, Rollback: d.Index == rollback,
			FinalizationLocked: d.FinalizationLocked, Staged: d.Staged, Pinned: d.Pinned(), Unlocked: d.Unlocked,
			Version: s.commitText(d, "version"), SourceTitle: s.commitText(d, "ostree.source-title"),
		}
		if j.Unlocked == "" {
			j.Unlocked = UnlockedNone
		}
		if d.Origin != nil && d.Origin.Has("origin", "refspec") {
			refspec := d.Refspec()
			j.Refspec = &refspec
		}
		list = append(list, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "   ") // as util-linux's writer indents
	enc.SetEscapeHTML(false)
	return enc.Encode(map[string]any{"deployments": list})
}
