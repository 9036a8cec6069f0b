package repo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rpmostree/internal/dirfd"

	"golang.org/x/sys/unix"
)

// LockKind is the strength of a repository lock.
type LockKind uint8

const (
	// Shared is held while objects are added: many may add at once.
	Shared LockKind = iota
	// Exclusive is held while objects are removed.
	Exclusive
)

func (k LockKind) String() string {
	if k == Exclusive {
		return "exclusive"
	}
	return "shared"
}

// repoLock is the lock of one open repository: an open file description lock
// on .lock. Its holders inside the process are counted by kind; the strongest
// kind held is what other processes see.
type repoLock struct {
	mu      sync.Mutex
	fd      int // -1 until first used
	held    [2]int
	timeout time.Duration // < 0: wait for ever
	off     bool
}

const (
	lockWait    = 10 * time.Millisecond
	maxLockWait = 160 * time.Millisecond
)

// Lock takes the repository's lock and returns the function that releases it.
// It waits as long as core.lock-timeout-secs allows. Locks inside one Repo
// count: they keep other processes out, not other goroutines. Who may not write to
// the repository gets no lock, as upstream, and may see another process prune.
func (r *Repo) Lock(ctx context.Context, kind LockKind) (unlock func() error, err error) {
	l := &r.lock
	none := func() error { return nil }
	if l.off {
		return none, nil
	}
	err = r.CheckWritable()
	for _, no := range []error{unix.EROFS, unix.EACCES, unix.EPERM} {
		if errors.Is(err, no) {
			return none, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("Locking repo %s failed: %w", kind, err)
	}
	deadline := time.Now().Add(l.timeout)
	// Nobody tells when the lock is free. Shared locks come and go; who wants it alone has
	// to ask often.
	for wait := lockWait; ; wait = min(2*wait, maxLockWait) {
		err := l.try(r.dir, kind)
		if err == nil {
			return sync.OnceValue(func() error { return l.release(kind) }), nil
		}
		if err != unix.EAGAIN && err != unix.EACCES || l.timeout >= 0 && !time.Now().Before(deadline) {
			return nil, fmt.Errorf("Locking repo %s failed: %w", kind, err)
		}
		pause := wait
		if l.timeout >= 0 {
			pause = min(pause, max(time.Until(deadline), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("Locking repo %s failed: %w", kind, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func (l *repoLock) try(dir *dirfd.Dir, kind LockKind) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		fd, err := dirfd.Openat(dir.FD(), ".lock", unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o660)
		if err != nil {
			return err
		}
		l.fd = fd
	}
	if l.held[kind] == 0 && l.held[Exclusive] == 0 {
		if err := lockFD(l.fd, kind); err != nil {
			return err
		}
	}
	l.held[kind]++
	return nil
}

func (l *repoLock) release(kind LockKind) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[kind]--
	switch {
	case l.held[kind] > 0 || kind == Shared && l.held[Exclusive] > 0:
		return nil
	case l.held[Shared] > 0:
		return lockFD(l.fd, Shared)
	}
	err := ofdLock(l.fd, unix.F_UNLCK)
	if err == unix.EINVAL {
		return unix.Flock(l.fd, unix.LOCK_UN)
	}
	return err
}

// lockFD takes a lock without waiting, as libglnx does: an open file
// description lock, and flock(2) where the file system lacks those.
func lockFD(fd int, kind LockKind) error {
	typ, how := int16(unix.F_RDLCK), unix.LOCK_SH
	if kind == Exclusive {
		typ, how = unix.F_WRLCK, unix.LOCK_EX
	}
	err := ofdLock(fd, typ)
	if err == unix.EINVAL {
		err = unix.Flock(fd, how|unix.LOCK_NB)
	}
	return err
}

func ofdLock(fd int, typ int16) error {
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: typ})
}

func (l *repoLock) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd >= 0 {
		unix.Close(l.fd)
		l.fd = -1
	}
}
