package rpm

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// capabilityNames are the Linux capabilities in the order of their numbers
// (linux/capability.h).
var capabilityNames = [...]string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

const (
	capRevision2 = 0x02000000 // VFS_CAP_REVISION_2
	capEffective = 0x000001   // VFS_CAP_FLAGS_EFFECTIVE
)

// capSet is a set of capabilities, a bit each.
type capSet struct{ effective, inheritable, permitted uint64 }

// CapsXattr converts the text form of file capabilities (cap_from_text(3), such
// as "cap_net_raw=ep") into the 20 bytes of the extended attribute
// security.capability, version 2, little-endian. "=" is the explicitly empty
// set; the empty string, no capabilities at all, gives nil.
func CapsXattr(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	var s capSet
	for _, clause := range strings.Fields(text) {
		if err := s.apply(clause); err != nil {
			return nil, fmt.Errorf("file capabilities %q: %w", text, err)
		}
	}
	word := uint32(capRevision2)
	if s.effective != 0 {
		// The attribute has one bit for all: none or everything is effective.
		if s.effective != s.permitted|s.inheritable {
			return nil, fmt.Errorf("file capabilities %q: the effective ones are only a part", text)
		}
		word |= capEffective
	}
	b := binary.LittleEndian.AppendUint32(nil, word)
	for shift := 0; shift < 64; shift += 32 {
		b = binary.LittleEndian.AppendUint32(b, uint32(s.permitted>>shift))
		b = binary.LittleEndian.AppendUint32(b, uint32(s.inheritable>>shift))
	}
	return b, nil
}

// apply reads a clause: names, then one or more operators with flags.
func (s *capSet) apply(clause string) error {
	i := strings.IndexAny(clause, "=+-")
	if i < 0 {
		return fmt.Errorf("no operator in %q", clause)
	}
	mask, err := capMask(clause[:i])
	if err != nil {
		return err
	}
	if i == 0 && clause[0] != '=' {
		return fmt.Errorf("no capability in %q", clause)
	}
	for rest := clause[i:]; rest != ""; {
		op := rest[0]
		rest = rest[1:]
		flags := rest
		if j := strings.IndexAny(rest, "=+-"); j >= 0 {
			flags = rest[:j]
		}
		rest = rest[len(flags):]
		if op != '=' && flags == "" {
			return fmt.Errorf("no flags in %q", clause)
		}
		if err := s.set(op, flags, mask); err != nil {
			return err
		}
	}
	return nil
}

func capMask(names string) (mask uint64, err error) {
	if names == "" || strings.EqualFold(names, "all") {
		return 1<<len(capabilityNames) - 1, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		n, err := capNumber(strings.ToLower(name))
		if err != nil {
			return 0, err
		}
		mask |= 1 << n
	}
	return mask, nil
}

func capNumber(name string) (int, error) {
	short, ok := strings.CutPrefix(name, "cap_")
	if ok {
		for n, s := range capabilityNames {
			if s == short {
				return n, nil
			}
		}
	} else {
		short = name
	}
	// A capability newer than the list goes by its number.
	if n, err := strconv.Atoi(short); err == nil && n >= 0 && n < 64 && strconv.Itoa(n) == short {
		return n, nil
	}
	return 0, fmt.Errorf("unknown capability %q", name)
}

func (s *capSet) set(op byte, flags string, mask uint64) error {
	if op == '=' {
		s.effective &^= mask
		s.inheritable &^= mask
		s.permitted &^= mask
	}
	for _, c := range flags {
		var set *uint64
		switch c {
		case 'e':
			set = &s.effective
		case 'i':
			set = &s.inheritable
		case 'p':
			set = &s.permitted
		default:
			return fmt.Errorf("unknown flag %q", c)
		}
		if op == '-' {
			*set &^= mask
		} else {
			*set |= mask
		}
	}
	return nil
}
