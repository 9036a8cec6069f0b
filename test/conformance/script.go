package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type verdict int

const (
	pass verdict = iota
	fail
	skip
)

func (v verdict) String() string { return [...]string{"pass", "fail", "skip"}[v] }

// A result says how a script ended.
type result struct {
	verdict  verdict
	why      string
	ok, plan int // assertions that held, and that there are
	took     time.Duration
}

// runScript runs one script in an empty directory of its own.
func (s *suite) runScript(ctx context.Context, name string, o options) result {
	start := time.Now()
	dir := filepath.Join(s.dir, "run", name)
	home := filepath.Join(s.dir, "home", name)
	for _, d := range []string{dir, home} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return result{verdict: fail, why: err.Error()}
		}
	}
	// What a script starts as a login shell begins with the system's PATH.
	profile := "PATH='" + s.path() + "'\n"
	if err := os.WriteFile(filepath.Join(home, ".profile"), []byte(profile), 0o644); err != nil {
		return result{verdict: fail, why: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.folder(), name))
	cmd.Dir, cmd.Env = dir, s.environ(name, home)
	// A session of its own, so that all that it started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // a daemon has the pipes open still
	}
	r := judge(stdout.String(), stderr.String(), err)
	if ctx.Err() != nil {
		r.verdict, r.why = fail, ctx.Err().Error()
	}
	if o.logs != "" {
		text := "== stdout\n" + stdout.String() + "== stderr\n" + stderr.String()
		if err := os.WriteFile(filepath.Join(o.logs, name+".log"), []byte(text), 0o644); err != nil {
			r.verdict, r.why = fail, err.Error()
		}
	}
	if err := sweep(dir); err != nil {
		r.verdict, r.why = fail, err.Error()
	}
	r.took = time.Since(start)
	return r
}

// environ is that of a script: this process's, but for what would steer ostree.
func (s *suite) environ(script, home string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "OSTREE_"), strings.HasPrefix(name, "OT_"), strings.HasPrefix(name, "G_"),
			strings.HasSuffix(strings.ToLower(name), "_proxy"), name == "GNUPGHOME", name == "TAR_OPTIONS":
		default:
			env = append(env, e)
		}
	}
	env = append(env, "PATH="+s.path(), "HOME="+home, "LC_ALL=C.UTF-8",
		"TMPDIR=/var/tmp", "OT_TESTS_DEBUG=1",
		// The scripts are of 2022: boot entries had the stateroot in their names.
		"OSTREE_SYSROOT_OPTS=bootloader-naming-1",
		// Debian's test-pull-repeated.sh wants to be asked for. It is a matter of luck in theory: the server
		// fails 100 times at most.
		"OSTREE_TEST_ALLOW_RANDOM=1")
	if script != "test-basic-user-only.sh" { // where files have labels, it expects them of a mode that has none
		env = append(env, "LABELS=yes")
	}
	if os.Getuid() == 0 {
		env = append(env, "OSTREE_TEST_SUDO=1")
	}
	return env
}

// path has the project's programs first.
func (s *suite) path() string { return filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH") }

// The lines of the Test Anything Protocol that count.
var (
	tapLine    = regexp.MustCompile(`(?m)^(not ok|ok)\b(.*)$`)
	tapPlan    = regexp.MustCompile(`(?m)^1\.\.(\d+)`)
	tapSkipAll = regexp.MustCompile(`(?mi)^1\.\.0 *# *skip *(.*)$`)
	skipped    = regexp.MustCompile(`(?i)# *skip`)
)

// judge reads what a script printed.
func judge(stdout, stderr string, err error) result {
	var r result
	if m := tapSkipAll.FindStringSubmatch(stdout); m != nil && err == nil {
		return result{verdict: skip, why: m[1]}
	}
	passed, notOK := 0, 0
	for _, m := range tapLine.FindAllStringSubmatch(stdout, -1) {
		switch {
		case m[1] == "not ok":
			notOK++
		case !skipped.MatchString(m[2]):
			passed++
			r.ok++
		default:
			r.ok++
		}
	}
	r.plan = r.ok + notOK
	if m := tapPlan.FindStringSubmatch(stdout); m != nil {
		r.plan, _ = strconv.Atoi(m[1])
	}
	switch {
	case err != nil:
		r.verdict, r.why = fail, err.Error()
	case notOK > 0:
		r.verdict, r.why = fail, fmt.Sprintf("%d assertions failed", notOK)
	case r.ok != r.plan:
		r.verdict, r.why = fail, fmt.Sprintf("%d of %d assertions seen", r.ok, r.plan)
	case r.ok == 0:
		r.verdict, r.why = fail, "no assertion seen"
	case passed == 0:
		r.verdict, r.why = skip, "all assertions skipped"
	}
	if r.verdict == fail {
		if lines := strings.Split(strings.TrimSpace(stderr), "\n"); err != nil {
			for _, l := range lines[max(len(lines)-12, 0):] {
				if strings.HasPrefix(l, "error:") {
					r.why += ": " + l
				}
			}
		}
	}
	return r
}
