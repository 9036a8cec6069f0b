package lua

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// modeText returns the permissions of a mode in nine letters.
func modeText(mode uint32) string {
	b := []byte("rwxrwxrwx")
	for i := range b {
		if mode&(0o400>>i) == 0 {
			b[i] = '-'
		}
	}
	for i, bit := range map[int]uint32{2: unix.S_ISUID, 5: unix.S_ISGID} {
		switch {
		case mode&bit == 0:
		case b[i] == 'x':
			b[i] = 's'
		default:
			b[i] = 'S'
		}
	}
	return string(b)
}

// changeMode applies a change to a mode: "0755", "rwxr-xr-x", or "u+x,go=r" in which
// "=" replaces all permissions (rpmio/modemuncher.cc).
func changeMode(mode uint32, change string) (uint32, bool) {
	switch {
	case change == "":
		return 0, false
	case '0' <= change[0] && change[0] <= '7':
		n, err := strconv.ParseUint(change, 8, 16)
		return uint32(n), err == nil
	case change[0] == 'r' || change[0] == '-':
		return nineLetters(mode, change)
	}
	for part := range strings.SplitSeq(change, ",") {
		part = strings.ReplaceAll(part, " ", "")
		who := part[:len(part)-len(strings.TrimLeft(part, "ugoa"))]
		part = part[len(who):]
		if part == "" {
			return 0, false
		}
		affected, what := uint32(0), uint32(0)
		for _, c := range who {
			affected |= [...]uint32{0o4700, 0o2070, 0o1007, 0o7777}[strings.IndexRune("ugoa", c)]
		}
		if who == "" {
			affected = 0o7777
		}
		for _, c := range part[1:] {
			i := strings.IndexRune("rwxs", c)
			if i < 0 {
				return 0, false
			}
			what |= [...]uint32{0o444, 0o222, 0o111, 0o6000}[i]
		}
		switch {
		case !strings.Contains("+-=", part[:1]):
			return 0, false
		case what == 0:
		case part[0] == '+':
			mode |= what & affected
		case part[0] == '-':
			mode &^= what & affected
		default:
			mode = what & affected
		}
	}
	return mode, true
}

// nineLetters applies "rwxr-xr-x", in which a letter that is out of place changes
// nothing.
func nineLetters(mode uint32, letters string) (uint32, bool) {
	mode &^= unix.S_ISUID | unix.S_ISGID
	for i := range 9 {
		c := byte(0)
		if i < len(letters) {
			c = letters[i]
		}
		switch bit := uint32(0o400 >> i); {
		case c == "rwxrwxrwx"[i]:
			mode |= bit
		case c == '-':
			mode &^= bit
		case c == 's' && i == 2:
			mode |= unix.S_ISUID | unix.S_IXUSR
		case c == 's' && i == 5:
			mode |= unix.S_ISGID | unix.S_IXGRP
		case c == 's':
			return 0, false
		}
	}
	return mode, true
}
