package world

import (
	"maps"
	"slices"
	"strings"

	"rpmostree/rpm"
)

// madeTime is the build time of the packages that have no Debian package behind them,
// in seconds since 1970: 14 November 2023.
const madeTime = 1700000000

// version is the distribution's own.
const version = "12"

// baseDirectories returns the directories that the filesystem package owns, with their
// permissions. All other packages leave them out.
func baseDirectories() map[string]uint32 {
	dirs := map[string]uint32{"/root": 0o700, "/tmp": 0o1777, "/var/tmp": 0o1777}
	for _, d := range strings.Fields(`/ /boot /dev /etc /etc/opt /etc/skel /etc/default /etc/profile.d
		/home /media /mnt /opt /proc /run /srv /sys
		/usr /usr/bin /usr/games /usr/include /usr/lib /usr/lib64 /usr/libexec /usr/local /usr/local/bin
		/usr/local/lib /usr/local/share /usr/sbin /usr/share /usr/share/doc /usr/share/man /usr/share/info
		/usr/share/locale /usr/share/misc /usr/src /usr/lib/x86_64-linux-gnu
		/usr/lib/systemd /usr/lib/systemd/system /usr/lib/tmpfiles.d /usr/lib/sysusers.d
		/usr/lib/modules /usr/lib/firmware
		/var /var/cache /var/lib /var/lib/misc /var/local /var/log /var/mail /var/opt /var/spool`) {
		dirs[d] = 0o755
	}
	return dirs
}

// made starts a package of the distribution's own.
func made(name, ver, release, summary string) *rpm.Builder {
	return &rpm.Builder{
		Name: name, Version: ver, Release: release, Arch: "noarch", BuildTime: madeTime,
		Summary: summary, Description: summary + ".", License: "Apache-2.0", Vendor: "Lab Linux",
		Changelog: []rpm.Change{{Time: madeTime, Name: "Lab Linux <lab@example.org> - " + ver + "-" + release, Text: "- Made for tests"}},
	}
}

// system returns the packages that Debian has no counterpart of.
func (c *converter) system() ([]*rpm.Builder, error) {
	setup := made("setup", version, "1", "Accounts and basic configuration")
	if err := c.finish(setup, "setup"); err != nil {
		return nil, err
	}
	filesystem := made("filesystem", version, "1", "Basic directories and the links of the merged /usr")
	filesystem.Arch = "x86_64"
	requirePre(filesystem, "setup")
	for _, d := range slices.Sorted(maps.Keys(c.base)) {
		addFile(filesystem, directory(d, c.base[d]))
	}
	for _, l := range [][2]string{
		{"/bin", "usr/bin"}, {"/sbin", "usr/sbin"}, {"/lib", "usr/lib"}, {"/lib64", "usr/lib64"},
		{"/var/run", "../run"}, {"/var/lock", "../run/lock"},
	} {
		addFile(filesystem, symlink(l[0], l[1]))
	}
	if err := c.finish(filesystem, "filesystem"); err != nil {
		return nil, err
	}
	return []*rpm.Builder{setup, filesystem, release("1"), dracutConfig()}, nil
}

// release makes the package that says which system this is.
func release(rel string) *rpm.Builder {
	b := made("lab-release", version, rel, "Identity of Lab Linux")
	for _, name := range []string{"system-release", "system-release(releasever)"} {
		b.Provides = append(b.Provides, rpm.Dep{Name: name, EVR: version, Flags: rpm.DepEqual})
	}
	addFile(b, regular("/usr/lib/os-release", 0o644, `NAME="Lab Linux"
VERSION="`+version+`"
ID=lab
ID_LIKE=debian
VERSION_ID=`+version+`
PRETTY_NAME="Lab Linux `+version+`"
HOME_URL="https://example.org/"
`))
	addFile(b, symlink("/etc/os-release", "../usr/lib/os-release"))
	addFile(b, regular("/etc/issue", 0o644, "Lab Linux "+version+" \\n \\l\n"))
	// Debian's rpm looks for its database in the home directory
	addFile(b, regular("/usr/lib/rpm/macros.d/macros.lab", 0o644, "%_dbpath /usr/share/rpm\n"))
	addScriptRequires(b)
	return b
}

// dracutConfig makes the package that keeps the initramfs small: it boots a virtual
// machine's ext4 root, and takes a third of a generic one's time to make.
func dracutConfig() *rpm.Builder {
	b := made("lab-dracut-config", version, "1", "A small initramfs")
	addFile(b, regular("/usr/lib/dracut/dracut.conf.d/50-lab.conf", 0o644, `hostonly="no"
compress="cat"
dracutmodules+=" systemd systemd-initrd dracut-systemd base fs-lib rootfs-block udev-rules shutdown usrmount ostree kernel-modules "
filesystems+=" ext4 "
drivers+=" virtio_blk virtio_pci virtio_mmio virtio_console virtio_net virtio_rng "
`))
	return b
}
