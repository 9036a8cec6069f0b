package find

import (
	"bufio"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// Volumes returns the directories where removable volumes are mounted: those that GLib's
// volume monitor shows to a user.
func Volumes() ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v := viewer{media: "/run/media/"}
	if v.home, err = os.UserHomeDir(); err != nil {
		v.home = ""
	}
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return nil, err
		}
		v.media += u.Username + "/"
	}
	return v.volumes(f)
}

// A viewer is for whom volumes are shown: they are mounted below these directories, or /media.
type viewer struct{ media, home string }

// systemTypes are file systems that hold no user's files.
var systemTypes = []string{
	"auto", "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs", "devpts", "devtmpfs", "ecryptfs",
	"efivarfs", "fuse.gvfsd-fuse", "fuse.portal", "fuse.rofiles-fuse", "fusectl", "hugetlbfs", "kernfs", "linprocfs", "mqueue", "none", "nsfs", "overlay",
	"proc", "procfs", "pstore", "ptyfs", "ramfs", "rootfs", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sunrpc", "sysfs", "tmpfs", "tracefs",
	"usbfs", "zfs",
}

// volumes reads the format of /proc/PID/mountinfo; see proc(5).
func (v viewer) volumes(mountinfo io.Reader) ([]string, error) {
	var roots []string
	scanner := bufio.NewScanner(mountinfo)
	for scanner.Scan() {
		before, after, ok := strings.Cut(scanner.Text(), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 6 || len(kind) < 2 {
			continue
		}
		path := unescape(fields[4])
		if !slices.Contains(systemTypes, kind[0]) && v.shows(path) && !slices.Contains(roots, path) {
			roots = append(roots, path)
		}
	}
	return roots, scanner.Err()
}

func (v viewer) shows(path string) bool {
	if strings.Contains(path, "/.") {
		return false
	}
	return strings.HasPrefix(path, v.media) || strings.HasPrefix(path, "/media/") || v.home != "" && strings.HasPrefix(path, v.home+"/")
}

// unescape decodes the octal escapes of white space and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
