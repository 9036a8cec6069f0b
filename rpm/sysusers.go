package rpm

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
)

// MaxSysusersLine is the greatest length of a line of Header.Sysusers in bytes.
const MaxSysusersLine = 4096

// Sysusers returns the lines of sysusers.d(5) by which the package declares users
// and groups. rpm stores them, since version 4.19, as the versions of provides
// such as user(NAME), in base64 and filled up with NULs so that it needs no "=".
func (h *Header) Sysusers() ([]string, error) {
	var out []string
	for _, d := range h.Provides() {
		kind, _, ok := strings.Cut(d.Name, "(")
		if !ok || kind != "user" && kind != "group" && kind != "groupmember" || d.Flags&DepEqual == 0 || d.EVR == "" {
			continue
		}
		line, err := sysusersLine(d.EVR)
		if err != nil {
			return nil, fmt.Errorf("provide %s: %w", d.Name, err)
		}
		out = append(out, line)
	}
	return out, nil
}

func sysusersLine(version string) (string, error) {
	if base64.StdEncoding.DecodedLen(len(version)) > MaxSysusersLine {
		return "", fmt.Errorf("%d bytes are too many for a line of sysusers", len(version))
	}
	b, err := base64.StdEncoding.DecodeString(version)
	if err != nil {
		return "", fmt.Errorf("line of sysusers: %w", err)
	}
	line := strings.TrimRight(string(b), "\x00")
	// It goes to a program line by line: one may not be two.
	bad := func(r rune) bool { return r != '\t' && unicode.IsControl(r) }
	if strings.ContainsFunc(line, bad) || line == "" || !strings.Contains("ugmr", line[:1]) {
		return "", fmt.Errorf("%q is no line of sysusers", line)
	}
	return line, nil
}
