//go:build amd64 || ppc64le || s390x

package repo

import "golang.org/x/sys/unix"

const sysFstatat = unix.SYS_NEWFSTATAT
