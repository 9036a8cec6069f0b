package download

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rpmostree/internal/failpoint"
	"rpmostree/rpmmd"
)

// The test program runs itself, to be killed or to have no space left.
const (
	childCache = "DOWNLOAD_TEST_CACHE"
	childURL   = "DOWNLOAD_TEST_URL"
	childSpace = "DOWNLOAD_TEST_SPACE" // how large a file can become, in bytes
)

func TestMain(m *testing.M) {
	if os.Getenv(childCache) != "" {
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child() error {
	if n, err := strconv.ParseUint(os.Getenv(childSpace), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			return err
		}
	}
	d, err := New(Options{CacheDir: os.Getenv(childCache), Mode: Always, Types: []string{"filelists"}})
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := d.Refresh(ctx, config(os.Getenv(childURL)))
	if err != nil {
		return err
	}
	return s.Primary(ctx, func(p *rpmmd.Package) error {
		_, err := s.FetchPackage(ctx, p)
		return err
	})
}

// run refreshes in a process of its own.
func run(t *testing.T, cache, url string, env ...string) error {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childCache+"="+cache, childURL+"="+url), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}

// afterFault checks that the cache is the old one or the new one, that it can be
// refreshed, and that nothing is left over then.
func afterFault(t *testing.T, w *world, url, before, after string) {
	t.Helper()
	w.mode = CacheOnly
	s, err := w.refresh(config(url))
	switch {
	case err != nil && before == "":
		if !strings.Contains(err.Error(), "no cache") && !strings.Contains(err.Error(), "not cached") {
			t.Errorf("error %v", err)
		}
	case err != nil:
		t.Fatal(err)
	default:
		if got := packages(t, s); got != before && got != after {
			t.Errorf("packages %q, want %q or %q", got, before, after)
		}
	}
	if err := run(t, w.cache, url); err != nil {
		t.Fatal(err)
	}
	if s, err = w.refresh(config(url)); err != nil {
		t.Fatal(err)
	}
	if got := packages(t, s); got != after {
		t.Errorf("packages %q, want %q", got, after)
	}
	left, err := filepath.Glob(filepath.Join(w.cache, "*", "repodata", "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(w.cache, "*", "repodata", ".*"))
	if err != nil || len(hidden) > 0 {
		t.Errorf("left over: %q, %v", hidden, err)
	}
	if len(left) != 4 { // repomd.xml, primary, its index, filelists
		t.Errorf("files %q", left)
	}
}

// A process that is killed at any point leaves the old or the new metadata.
func TestKilled(t *testing.T) {
	for _, point := range []string{"download.file", "download.file@2", "download.store", "download.stored", "download.index", "none"} {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cached %v", point, cached), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				url, before := serve(t, w.repo).URL, ""
				if cached {
					if err := run(t, w.cache, url); err != nil {
						t.Fatal(err)
					}
					before = "one two"
				}
				makeRepo(t, w.repo, "three")
				err := run(t, w.cache, url, failpoint.Env+"="+point)
				var exit *exec.ExitError
				if killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled(); killed != (point != "none") {
					t.Fatalf("killed %v, error %v", killed, err)
				}
				afterFault(t, w, url, before, "one three two")
			})
		}
	}
}

// Killed at any time, too.
func TestKilledAnywhere(t *testing.T) {
	w := newWorld(t)
	url := serve(t, w.repo).URL
	if err := run(t, w.cache, url); err != nil {
		t.Fatal(err)
	}
	before := "one two"
	for i := range 8 {
		name := fmt.Sprint("p", i)
		makeRepo(t, w.repo, name)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childCache+"="+w.cache, childURL+"="+url)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(3*i) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		after := strings.TrimSuffix(before, " two") + " " + name + " two"
		afterFault(t, w, url, before, after)
		before = after
	}
}

// When there is no space left, the old metadata stay, and the error says so.
func TestNoSpace(t *testing.T) {
	for _, cached := range []bool{false, true} {
		w := newWorld(t)
		url, before := serve(t, w.repo).URL, ""
		if cached {
			if err := run(t, w.cache, url); err != nil {
				t.Fatal(err)
			}
			before = "one two"
		}
		makeRepo(t, w.repo, "three")
		failed := 0
		for _, space := range []int{0, 1, 100, 300, 600, 1000, 1500, 2000, 4000} {
			err := run(t, w.cache, url, fmt.Sprint(childSpace, "=", space))
			if err == nil {
				continue
			}
			failed++
			if !strings.Contains(err.Error(), "file too large") {
				t.Errorf("%d bytes: error %v", space, err)
			}
			w.mode = CacheOnly
			s, err := w.refresh(config(url))
			if err != nil {
				if before != "" {
					t.Errorf("%d bytes: error %v", space, err)
				}
				continue
			}
			if got := packages(t, s); got != before && got != "one three two" {
				t.Errorf("%d bytes: packages %q", space, got)
			}
		}
		if failed < 5 {
			t.Errorf("%d runs failed", failed)
		}
		afterFault(t, w, url, before, "one three two")
	}
}
