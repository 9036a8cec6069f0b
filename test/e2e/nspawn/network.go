package nspawn

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// network is a network namespace with nothing but a loopback device, bound to a file.
type network struct {
	file    string
	made    bool
	servers []*http.Server
}

// Serve implements machine.Machine: the server listens inside the machine's own network
// namespace, so that nothing else can be reached there and the host's network is out of
// the game.
func (m *Machine) Serve(h http.Handler) (string, error) {
	var l net.Listener
	err := m.network.inside(func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h}
	m.network.servers = append(m.network.servers, s)
	go s.Serve(l) // ends with close
	return "http://" + l.Addr().String(), nil
}

// inside calls f on a thread that is in the namespace, which the first call makes.
func (n *network) inside(f func() error) error {
	done := make(chan error)
	go func() {
		// never unlocked: the thread ends with the goroutine, as no other may run on it
		runtime.LockOSThread()
		enter := n.join
		if !n.made {
			enter = n.create
		}
		err := enter()
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

func (n *network) create() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("new network namespace: %w", err)
	}
	if err := os.WriteFile(n.file, nil, 0o600); err != nil {
		return err
	}
	self := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
	if err := unix.Mount(self, n.file, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind the network namespace: %w", err)
	}
	n.made = true
	return loopbackUp()
}

func (n *network) join() error {
	fd, err := unix.Open(n.file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWNET)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

func (n *network) close() error {
	var errs []error
	for _, s := range n.servers {
		errs = append(errs, s.Close())
	}
	n.servers = nil
	if n.made {
		n.made = false
		errs = append(errs, unix.Unmount(n.file, unix.MNT_DETACH), os.Remove(n.file))
	}
	return errors.Join(errs...)
}
