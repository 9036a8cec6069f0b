package rpm

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// capNames are the capabilities by their numbers (linux/capability.h).
var capNames = [...]string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

// The on-disk form of security.capability (struct vfs_cap_data, version 2).
const (
	capRevision2 = 0x02000000
	capEffective = 1
	capXattrSize = 20
)

// CapsXattr returns the value of the extended attribute security.capability
// for File.Caps, the text form of capabilities ("cap_net_raw=ep"; see
// cap_from_text(3)). It is little-endian, as the kernel stores it.
func CapsXattr(text string) ([]byte, error) {
	var sets [3]uint64 // effective, inheritable, permitted
	for _, clause := range strings.Fields(text) {
		if err := capClause(clause, &sets); err != nil {
			return nil, fmt.Errorf("capabilities %q: %w", text, err)
		}
	}
	effective, inheritable, permitted := sets[0], sets[1], sets[2]
	if effective != 0 && effective != permitted|inheritable {
		// A file has one bit that makes all of its capabilities effective.
		return nil, fmt.Errorf("capabilities %q: only some are effective", text)
	}
	magic := uint32(capRevision2)
	if effective != 0 {
		magic |= capEffective
	}
	b := make([]byte, 0, capXattrSize)
	for _, v := range []uint32{magic, uint32(permitted), uint32(inheritable), uint32(permitted >> 32), uint32(inheritable >> 32)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b, nil
}

// capClause applies one clause, a list of names followed by operators with
// flags, to the sets.
func capClause(clause string, sets *[3]uint64) error {
	end := strings.IndexAny(clause, "=+-")
	if end < 0 {
		return fmt.Errorf("%q has no operator", clause)
	}
	caps, err := capList(clause[:end])
	if err != nil {
		return err
	}
	for rest := clause[end:]; rest != ""; {
		op := rest[0]
		flags := rest[1:]
		if next := strings.IndexAny(flags, "=+-"); next >= 0 {
			flags = flags[:next]
		}
		rest = rest[1+len(flags):]
		if op == '=' {
			for i := range sets {
				sets[i] &^= caps
			}
		}
		for _, f := range flags {
			i := strings.IndexRune("eip", f)
			switch {
			case i < 0:
				return fmt.Errorf("unknown flag %q", f)
			case op == '-':
				sets[i] &^= caps
			default:
				sets[i] |= caps
			}
		}
	}
	return nil
}

func capList(list string) (caps uint64, err error) {
	if list == "" || list == "all" {
		return 1<<len(capNames) - 1, nil
	}
	for name := range strings.SplitSeq(strings.ToLower(list), ",") {
		i := slices.Index(capNames[:], strings.TrimPrefix(name, "cap_"))
		if i < 0 || !strings.HasPrefix(name, "cap_") {
			return 0, fmt.Errorf("unknown capability %q", name)
		}
		caps |= 1 << i
	}
	return caps, nil
}
