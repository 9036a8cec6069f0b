package sysroot

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/ostree/repo"
)

// TestRefsInOneUpdate removes the refs of several deployments: a repository that has a summary of
// its refs writes that once.
func TestRefsInOneUpdate(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	config := s.Repo().Config()
	must(t, config.Set("core", "auto-update-summary", "true"))
	must(t, s.Repo().SetConfig(config))
	s = w.open()
	for _, v := range []string{"1", "2", "3", "4"} {
		w.deploy(s, w.commit(v, nil), func(o *DeployOptions) { o.Retain.All = true })
	}
	st, err := s.Load()
	must(t, err)
	st, err = s.Write(t.Context(), st, st.Deployments[:2], WriteOptions{NoClean: true})
	must(t, err)

	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	must(t, err)
	defer unix.Close(watch)
	_, err = unix.InotifyAddWatch(watch, filepath.Join(w.repo(), "tmp"), unix.IN_CREATE)
	must(t, err)
	must(t, s.writeRefs(t.Context(), st))
	events := make([]byte, 1<<16)
	n, err := unix.Read(watch, events)
	must(t, err)
	if got := strings.Count(string(events[:n]), "summary-"); got != 1 {
		t.Errorf("the summary was written %d times", got)
	}

	var want []string
	for i := range st.Deployments {
		want = append(want, deploymentRef(st, i))
	}
	refs, err := s.Repo().LocalRefs()
	must(t, err)
	if got := deploymentRefs(refs); !slices.Equal(got, want) {
		t.Errorf("refs %q, want %q", got, want)
	}
	summary, err := s.Repo().BuildSummary(nil)
	must(t, err)
	if text := w.c("--repo="+w.repo(), "summary", "--view"); strings.Count(text, "* ") != len(summary.Refs) || !strings.Contains(text, want[1]) {
		t.Errorf("the summary has\n%s", text)
	}
}

// deploymentRefs returns the names of those that keep deployments.
func deploymentRefs(refs []repo.Ref) (names []string) {
	for _, r := range refs {
		if isDeploymentRef(r.Name) {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}
