//go:build arm64 || riscv64

package repo

import "golang.org/x/sys/unix"

const sysFstatat = unix.SYS_FSTATAT
