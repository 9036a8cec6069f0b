package rpmostree

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"rpmostree/internal/upgrade"
)

// keyWidth is the width of the right-aligned keys of a deployment.
const keyWidth = 23

type statusOptions struct {
	verbose bool
	booted  bool
	width   int // columns of the terminal
}

// printStatus writes the human form of s. Other programs read its first line
// and its Version lines, so the layout is an interface.
func printStatus(w io.Writer, s upgrade.Status, opt statusOptions) {
	state := "idle"
	if s.Transaction != nil {
		state = "busy"
	}
	fmt.Fprintf(w, "State: %s\n", state)
	if opt.booted {
		fmt.Fprintln(w, "BootedDeployment:")
	} else {
		fmt.Fprintln(w, "Deployments:")
	}
	for i, d := range s.Deployments {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printDeployment(w, d, i, opt)
	}
}

func printDeployment(w io.Writer, d upgrade.DeploymentStatus, index int, opt statusOptions) {
	mark := " "
	if d.Booted {
		mark = "●"
	}
	title := d.Origin
	if len(d.CustomOrigin) == 2 {
		title = d.CustomOrigin[0]
	}
	if title == "" {
		title = d.Checksum
	}
	if opt.verbose {
		title += fmt.Sprintf(" (index: %d)", index)
	}
	fmt.Fprintf(w, "%s %s\n", mark, title)
	kv := func(key, value string) { fmt.Fprintf(w, "  %*s: %s\n", keyWidth, key, value) }
	list := func(key string, values []string) {
		if len(values) > 0 {
			kv(key, wrap(quoteSorted(values), max(64, opt.width-keyWidth-4)))
		}
	}
	if len(d.CustomOrigin) == 2 {
		kv("CustomOrigin", d.CustomOrigin[1])
	}
	layered := d.BaseChecksum != ""
	version, timestamp := d.Version, d.Timestamp
	if layered {
		version, timestamp = d.BaseVersion, d.BaseTimestamp
	}
	when := time.Unix(int64(timestamp), 0).UTC().Format("2006-01-02T15:04:05Z")
	if version != "" {
		kv("Version", version+" ("+when+")")
	} else {
		kv("Timestamp", when)
	}
	if layered {
		kv("BaseCommit", d.BaseChecksum)
	}
	if !layered || opt.verbose {
		kv("Commit", d.Checksum)
	}
	if opt.verbose {
		kv("Staged", yesNo(d.Staged))
		kv("StateRoot", d.OSName)
	}
	list("RemovedBasePackages", d.RemovedBase())
	if opt.verbose {
		list("InactiveBaseRemovals", d.InactiveRemovals())
	}
	list("LocalOverrides", d.LocalOverrides())
	list("InactiveLocalOverrides", d.InactiveLocalOverrides())
	list("RemoteOverrides", d.RemoteOverrides())
	list("InactiveRemoteOverrides", d.InactiveRemoteOverrides())
	if opt.verbose {
		list("InactiveRequests", d.InactiveRequests())
	}
	list("LayeredPackages", d.Packages)
	list("LocalPackages", nevras(d.RequestedLocalPackages))
	list("LocalForcedPackages", nevras(d.RequestedLocalFileOverrides))
	if d.RegenerateInitramfs {
		if len(d.InitramfsArgs) > 0 {
			kv("Initramfs", strings.Join(d.InitramfsArgs, " "))
		} else {
			kv("Initramfs", "regenerate")
		}
	}
	list("InitramfsEtc", d.InitramfsEtc)
	if d.Pinned {
		kv("Pinned", "yes")
	}
	if d.Unlocked != "none" && d.Unlocked != "" {
		kv("Unlocked", d.Unlocked)
	}
	if d.EndOfLife != "" {
		kv("EndOfLife", d.EndOfLife)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// nevras cuts the checksum off "SHA256:NEVRA".
func nevras(local []string) []string {
	var out []string
	for _, l := range local {
		_, nevra, _ := strings.Cut(l, ":")
		out = append(out, nevra)
	}
	return out
}

// quoteSorted returns the values sorted without regard to case, those with
// special characters quoted for a shell.
func quoteSorted(values []string) []string {
	out := slices.Clone(values)
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+~^/@%,= >()[]"
	for i, v := range out {
		if v == "" || strings.Trim(v, plain[:len(plain)-len("= >()[]")]) != "" && !strings.Contains(v, " -> ") {
			out[i] = "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
		}
	}
	return out
}

// wrap joins words by spaces in lines of at most width columns; the lines after
// the first are indented to the value column.
func wrap(words []string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range words {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", keyWidth+4))
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
