package sysroot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rpmostree/internal/failpoint"
	"rpmostree/ostree/repo"
)

// victimEnv makes this test program do one operation in the scene of a directory, and nothing
// else: "OPERATION DIRECTORY".
const victimEnv = "SYSROOT_TEST_VICTIM"

// syncEnv makes the operation flush file systems.
const syncEnv = "SYSROOT_TEST_SYNC"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "semodule" {
		os.Exit(beSemodule())
	}
	if root := os.Getenv(tryWritable); root != "" {
		beWriter(root)
		return
	}
	if root := os.Getenv(readVictim); root != "" {
		beReader(root)
		return
	}
	if op, dir, ok := strings.Cut(os.Getenv(victimEnv), " "); ok {
		if err := beVictim(op, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beVictim does an operation in the scene of a directory.
func beVictim(op, dir string) error {
	root, run := filepath.Join(dir, "sysroot"), filepath.Join(dir, "run")
	o := options()
	o.SkipSync = os.Getenv(syncEnv) == ""
	if _, err := os.Stat(filepath.Join(run, "ostree-booted")); err == nil {
		o.host = host{root: root, run: run, cmdline: filepath.Join(run, "cmdline")}
	}
	s, err := Open(root, o)
	if err != nil {
		return err
	}
	ctx := context.Background()
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	st, err := s.Load()
	if err != nil {
		return err
	}
	return operate(ctx, s, st, op, dir)
}

func operate(ctx context.Context, s *Sysroot, st *State, op, dir string) error {
	last := len(st.Deployments) - 1
	switch op {
	case "add":
		return deployHead(ctx, s, st, DeployOptions{Retain: Retain{All: true}})
	case "deploy":
		return deployHead(ctx, s, st, DeployOptions{})
	case "stage":
		return deployHead(ctx, s, st, DeployOptions{Stage: true})
	case "upgrade":
		source, err := repo.Open(filepath.Join(dir, "source"))
		if err != nil {
			return err
		}
		defer source.Close()
		if _, err := s.Repo().PullLocal(ctx, source, repo.PullLocalOptions{Refs: []string{"os/main"}}); err != nil {
			return err
		}
		return deployHead(ctx, s, st, DeployOptions{})
	case "finalize":
		return s.FinalizeStaged(ctx)
	case "cleanup":
		return s.Cleanup(ctx, st)
	case "undeploy":
		if st.Deployments[last].Booted {
			last--
		}
		_, err := s.Write(ctx, st, st.Without(last), WriteOptions{})
		return err
	case "drop":
		_, err := s.Write(ctx, st, st.Without(0), WriteOptions{})
		return err
	case "kargs", "more-kargs":
		k := st.Deployments[0].Kargs()
		k.Replace("killed=no")
		if op == "more-kargs" {
			k.Append("more")
		}
		_, err := s.SetKargs(ctx, st, st.Deployments[0], k)
		return err
	case "set-default":
		_, err := s.Write(ctx, st, st.WithDefault(last), WriteOptions{})
		return err
	}
	return errors.New("no such operation: " + op)
}

func deployHead(ctx context.Context, s *Sysroot, st *State, o DeployOptions) error {
	csum, err := s.Repo().ResolveRev("os/main")
	if err != nil {
		return err
	}
	o.Stateroot, o.Commit, o.Origin = "os", csum, NewOrigin("os/main")
	if m, ok := st.MergeDeployment("os"); ok {
		o.Merge = &m
	}
	_, _, err = s.Deploy(ctx, o)
	return err
}

// do does an operation, which must succeed.
func (w *scene) do(op string) {
	w.Helper()
	if err := beVictim(op, w.dir); err != nil {
		w.Fatalf("%s: %v", op, err)
	}
}

// command is a process that does an operation.
func (w *scene) command(op string, env ...string) *exec.Cmd {
	w.Helper()
	self, err := os.Executable()
	must(w.T, err)
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), env...), victimEnv+"="+op+" "+w.dir)
	return cmd
}

// victim does an operation in a process that is to be killed at a point, and reports
// whether it was.
func (w *scene) victim(op, point string) bool {
	w.Helper()
	cmd := w.command(op, failpoint.Env+"="+point)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	if st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !st.Signaled() || st.Signal() != syscall.SIGKILL {
		w.Fatalf("%s, to be killed at %q: %v: %s", op, point, err, out)
	}
	return true
}
