package ostree

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rpmostree/internal/treetest"
)

// TestFlatpak lets Flatpak install an application from a repository of ours and update it
// through a static delta of ours.
func TestFlatpak(t *testing.T) {
	f := newFlatpak(t)
	library := make([]byte, 300<<10)
	rand.NewChaCha8([32]byte{1}).Read(library)
	f.write("runtime/metadata", "[Runtime]\nname=org.example.Platform\nruntime=org.example.Platform/x86_64/1\nsdk=org.example.Platform/x86_64/1\n")
	f.write("runtime/usr/lib/lib.so", "a library")
	f.write("runtime/files/unused", "")
	f.write("app/metadata", "[Application]\nname=org.example.App\nruntime=org.example.Platform/x86_64/1\nsdk=org.example.Platform/x86_64/1\ncommand=hello\n")
	f.write("app/files/bin/hello", "one")
	f.write("app/files/lib/big", string(library))
	f.write("app/export/share/doc", "")
	f.run("flatpak", "build-export", "--arch=x86_64", "--runtime", "build", "runtime", "1")
	f.run("flatpak", "build-export", "--arch=x86_64", "build", "app", "stable")

	f.ostree("--repo=site", "init", "--mode=archive")
	f.publish("runtime/org.example.Platform/x86_64/1")
	f.publish("app/org.example.App/x86_64/stable")
	f.ostree("--repo=site", "summary", "-u")
	f.run("flatpak", "--user", "remote-add", "--no-gpg-verify", "site", f.serve())
	f.run("flatpak", "--user", "install", "-y", "--noninteractive", "--arch=x86_64", "site", "org.example.App//stable")
	if got := f.installed("files/bin/hello"); got != "one" {
		t.Errorf("installed %q", got)
	}

	f.write("app/files/bin/hello", "two")
	library[1000]++
	f.write("app/files/lib/big", string(library))
	f.run("flatpak", "build-export", "--arch=x86_64", "build", "app", "stable")
	f.publish("app/org.example.App/x86_64/stable")
	f.ostree("--repo=site", "static-delta", "generate", "app/org.example.App/x86_64/stable")
	f.ostree("--repo=site", "summary", "-u")
	f.forget()
	f.run("flatpak", "--user", "update", "-y", "--noninteractive", "org.example.App")
	if f.installed("files/bin/hello") != "two" || f.installed("files/lib/big") != string(library) {
		t.Error("not updated")
	}
	// While the delta is applied, libostree may begin to fetch files that are in it.
	id := strings.TrimSuffix(f.deltaPath(), "superblock")
	for _, file := range []string{"superblock", "0"} {
		if f.count("200 /"+id+file) == 0 {
			t.Errorf("%s%s was not fetched:\n%s", id, file, strings.Join(f.requests, "\n"))
		}
	}
	if out, status := ours(t, f.dir, "--repo=home/.local/share/flatpak/repo", "fsck", "-q"); status != 0 {
		t.Errorf("fsck of Flatpak's repository: %s", out)
	}
}

// A flatpak is a directory in which Flatpak keeps all that it has.
type flatpak struct {
	t   *testing.T
	dir string

	mu       sync.Mutex
	requests []string
}

func newFlatpak(t *testing.T) *flatpak {
	t.Helper()
	treetest.Oracle(t, "flatpak")
	f := &flatpak{t: t, dir: t.TempDir()}
	for name, sub := range map[string]string{
		"HOME": "home", "XDG_DATA_HOME": "home/.local/share", "XDG_CACHE_HOME": "home/.cache", "XDG_CONFIG_HOME": "home/.config",
		"XDG_RUNTIME_DIR": "home/run", "FLATPAK_SYSTEM_DIR": "system", "FLATPAK_CONFIG_DIR": "etc", "FLATPAK_USER_DIR": "home/.local/share/flatpak",
		"FLATPAK_SYSTEM_CACHE_DIR": "cache",
	} {
		path := filepath.Join(f.dir, sub)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, path)
	}
	return f
}

func (f *flatpak) write(name, content string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

func (f *flatpak) run(name string, args ...string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), name, args...)
	cmd.Dir = f.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func (f *flatpak) ostree(args ...string) string {
	f.t.Helper()
	out, status := ours(f.t, f.dir, args...)
	if status != 0 {
		f.t.Fatalf("ostree %q: %s", args, out)
	}
	return strings.TrimSpace(out)
}

// publish makes a commit of ours of what Flatpak has built, with Flatpak's metadata.
func (f *flatpak) publish(ref string) {
	f.t.Helper()
	f.ostree("--repo=site", "pull-local", "build", f.ostree("--repo=build", "rev-parse", ref))
	commit := f.ostree("--repo=build", "rev-parse", ref)
	args := []string{"--repo=site", "commit", "--branch=" + ref, "--base=" + commit, "--subject=Build", "--no-xattrs"}
	for key := range strings.FieldsSeq(f.ostree("--repo=site", "show", "--list-metadata-keys", commit)) {
		if strings.HasPrefix(key, "xa.") {
			args = append(args, "--add-metadata="+key+"="+f.ostree("--repo=site", "show", "--print-metadata-key="+key, commit))
		}
	}
	f.ostree(append(args, "--tree=ref="+commit)...)
}

// serve serves the repository and keeps the status and path of each answer.
func (f *flatpak) serve() string {
	files := http.FileServer(http.Dir(filepath.Join(f.dir, "site")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &statusWriter{w, http.StatusOK}
		files.ServeHTTP(answer, r)
		f.mu.Lock()
		f.requests = append(f.requests, fmt.Sprint(answer.status, " ", r.URL.Path))
		f.mu.Unlock()
	}))
	f.t.Cleanup(server.Close)
	return server.URL
}

// statusWriter keeps the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// deltaPath is where the superblock of the only delta is in the repository.
func (f *flatpak) deltaPath() string {
	f.t.Helper()
	list, err := filepath.Glob(filepath.Join(f.dir, "site/deltas/*/*/superblock"))
	if err != nil || len(list) != 1 {
		f.t.Fatal(list, err)
	}
	return strings.TrimPrefix(list[0], filepath.Join(f.dir, "site")+"/")
}

func (f *flatpak) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

func (f *flatpak) count(answer string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if r == answer {
			n++
		}
	}
	return n
}

// installed returns the content of a file of the installed application.
func (f *flatpak) installed(name string) string {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, "home/.local/share/flatpak/app/org.example.App/x86_64/stable/active", name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(bytes.TrimSpace(data))
}
