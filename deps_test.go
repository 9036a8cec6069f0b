package rpmostree

import (
	"cmp"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "rpmostree"

// depsRules is the layering policy. "a < b" means b may import a and all that a may import.
// A package is defined by its one appearance on a right-hand side. Do not relax to fix a build.
var depsRules = `
# leaf: nothing of this module
NONE < gvariant, rpm/evr, internal/yaml, internal/dirfd, internal/keyfile, internal/compress/xz, internal/unxz,
       internal/progress, internal/openpgp, internal/failpoint, internal/goption, internal/background,
       internal/journal, internal/digest, internal/parsedate;
# system helpers
internal/unxz < internal/compress;
internal/progress, internal/digest < internal/fetch;
internal/goption < internal/manual;
internal/dirfd < internal/selinux, internal/sandbox, composefs;
internal/yaml < treefile;
# formats: bytes <-> values; no files, no network
gvariant < ostree < ostree/tree;
rpm/evr, internal/compress, internal/openpgp < rpm;
rpm, internal/yaml, internal/digest < rpmmd;
rpm/evr < solv;
rpm/evr < internal/lua;
solv, internal/compress < solv/testcase;
# stores: values <-> disk
ostree/tree, composefs, internal/keyfile, internal/compress, internal/failpoint < ostree/repo;
rpm, internal/dirfd < rpm/rpmdb;
# test support: only *_test.go files and other test packages may import these
internal/dirfd < internal/treetest;
ostree/repo < ostree/ostreetest;
rpm < rpm/rpmtest;
rpmmd, rpm/rpmtest < rpmmd/rpmmdtest;
# movers: network, signatures, boot
ostree/repo, internal/openpgp < ostree/sign;
ostree/repo, internal/compress/xz, internal/unxz < ostree/delta;
ostree/delta, internal/fetch, internal/journal < ostree/pull;
ostree/pull < ostree/find;
ostree/repo, internal/fetch < ostree/container;
internal/dirfd, internal/failpoint < ostree/bootloader;
internal/keyfile, gvariant, internal/journal < ostree/sysroot/prepareroot;
ostree/repo, ostree/bootloader, internal/progress, internal/selinux, ostree/sysroot/prepareroot < ostree/sysroot;
rpmmd, internal/fetch, internal/failpoint < rpmmd/download;
rpmmd, internal/failpoint < rpmmd/createrepo;
# core: packages -> root filesystem -> commit
solv, rpmmd, rpm/rpmdb < internal/core/sack;
ostree/tree, internal/core/sack < internal/core/pkgcache;
ostree/tree, internal/dirfd < internal/core/materialize;
NONE < internal/core/passwd, internal/core/tmpfiles;
rpm, ostree/tree, internal/core/tmpfiles < internal/core/importer;
rpm, internal/sandbox, internal/lua < internal/core/scripts;
internal/sandbox < internal/core/kernel;
internal/core/importer < internal/core/assemble;
ostree/tree < internal/core/postprocess;
ostree/repo, internal/selinux < internal/core/label;
ostree/repo, rpmmd/download, internal/core/pkgcache, internal/core/materialize, internal/core/passwd,
       internal/core/assemble, internal/core/scripts, internal/core/kernel, internal/core/postprocess, internal/core/label < internal/core;
# flows
internal/keyfile < internal/origin;
ostree/repo, rpm/rpmdb < internal/pkgdiff;
internal/core, treefile < internal/compose;
internal/core, ostree/pull, ostree/sign, ostree/sysroot, internal/origin, internal/pkgdiff < internal/upgrade;
ostree/sysroot, internal/core/scripts, internal/core/passwd, internal/pkgdiff < internal/live;
ostree/container, internal/pkgdiff < internal/encapsulate;
internal/core < internal/query;
# faces
gvariant, internal/progress < internal/dbusapi;
internal/dbusapi < internal/client;
internal/dbusapi, internal/upgrade, internal/live < internal/daemon;
internal/client, internal/compose, internal/encapsulate, internal/upgrade, internal/query, rpmmd/createrepo < internal/cli/rpmostree;
ostree/find, ostree/sign, ostree/sysroot, internal/manual, internal/parsedate < internal/cli/ostree;
internal/background, internal/manual < internal/cli/httpd;
internal/background, internal/dirfd, internal/manual < internal/cli/rofiles;
internal/cli/ostree, internal/cli/httpd, internal/cli/rofiles < internal/cli/document;
internal/daemon, internal/cli/rpmostree < cmd/rpm-ostree;
internal/cli/ostree < cmd/ostree;
ostree/find < cmd/repo-finder-mount;
internal/cli/httpd < cmd/ostree-trivial-httpd;
internal/cli/rofiles < cmd/rofiles-fuse;
ostree/sysroot/prepareroot < cmd/ostree-prepare-root;
# machines that boot a deployment; they know it from the outside only
NONE < test/e2e/machine < test/e2e/nspawn;
test/e2e/machine < test/e2e/qemu;
NONE < test/e2e, test/e2e/fastinit, test/e2e/initramfs;
test/e2e/nspawn, test/e2e/qemu, test/e2e/initramfs < test/e2e/boot;
# the test distributions
rpmmd/createrepo < test/mini;
internal/compress < test/distro/deb;
test/distro/deb, rpmmd/createrepo < test/distro/world < test/distro;
test/distro/deb, rpmmd/createrepo < test/universe;
test/distro/world < test/distro/peer;
test/distro/peer, test/universe, internal/core, rpm/rpmdb, solv/testcase < bench;
# the C ostree's shell tests with our programs; libsolv's answers beside ours
NONE < test/conformance;
internal/core/sack, solv/testcase, test/universe < test/conformance/solver;
# the whole way, for the demo and the tests
test/distro/world, test/e2e/nspawn < test/e2e/line < test/demo;
`

func TestDependencies(t *testing.T) {
	allowed := parseRules(t, depsRules)
	// Files are read in-process: go test then tracks them as inputs, so its cache stays valid.
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "testdata" {
			return cmp.Or(err, error(fs.SkipDir))
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "." {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		may, known := allowed[pkg]
		if !known {
			t.Errorf("%s: not in depsRules; give it a layer", pkg)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			if dep, ok := strings.CutPrefix(p, module+"/"); ok && !may[dep] {
				t.Errorf("%s imports %s: not allowed by depsRules", path, dep)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// parseRules returns, for each package, the set of packages it may import.
// Rules are ordered: a name must be defined before it is used, so cycles cannot be written.
func parseRules(t *testing.T, rules string) map[string]map[string]bool {
	var text strings.Builder
	for line := range strings.Lines(rules) {
		line, _, _ = strings.Cut(line, "#")
		text.WriteString(line + " ")
	}
	allowed := map[string]map[string]bool{"NONE": {}}
	for rule := range strings.SplitSeq(text.String(), ";") {
		sides := strings.Split(rule, "<")
		for i := 0; i+1 < len(sides); i++ {
			may := map[string]bool{}
			for _, a := range names(sides[i]) {
				if allowed[a] == nil {
					t.Fatalf("%q used before it is defined", a)
				}
				may[a] = true
				for x := range allowed[a] {
					may[x] = true
				}
			}
			for _, b := range names(sides[i+1]) {
				if allowed[b] != nil {
					t.Fatalf("%q defined twice", b)
				}
				allowed[b] = may
			}
		}
	}
	return allowed
}

func names(s string) []string {
	f := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
	slices.Sort(f)
	return f
}
