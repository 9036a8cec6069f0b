package sysroot

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestEtcMergeLikeC merges generated changes of /etc with both programs.
func TestEtcMergeLikeC(t *testing.T) {
	t.Parallel()
	seeds := 12
	if testing.Short() {
		seeds = 4
	}
	w := newWorld(t)
	for seed := range seeds {
		c := w.clone()
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		first, second := randomTree(r), randomTree(r)
		c.commit("1", underEtc(first))
		c.c("admin", "deploy", "--sysroot="+c.root(), "--os=os", "os/main")
		changeEtc(t, r, c.deployments()[0]+"/etc", first)
		csum := c.commit("2", underEtc(second))

		ours := c.clone()
		_, errC := c.tryC("admin", "deploy", "--sysroot="+c.root(), "--os=os", "os/main")
		s := ours.open()
		st, err := s.Load()
		must(t, err)
		merge, _ := st.MergeDeployment("os")
		_, _, err = s.Deploy(context.Background(), DeployOptions{Stateroot: "os", Commit: csum, Merge: &merge, Origin: NewOrigin("os/main")})
		if err != nil || errC != nil {
			if (err == nil) != (errC == nil) && !(err == nil && strings.Contains(errC.Error(), "Not a directory")) {
				t.Errorf("seed %d: the C program: %v; we: %v", seed, errC, err)
			}
			continue
		}
		a, b := dump(t, c.deployments()[0]+"/etc"), dump(t, ours.deployments()[0]+"/etc")
		if d := diffLines(a, b); d != "" {
			t.Errorf("seed %d: - only by the C program, + only by us:\n%s", seed, d)
		}
	}
}

var etcNames = []string{"a", "b", "c", "a/x", "a/y", "b/x", "b/y", "c/x", "a/x/p", "b/y/p", "b/y/q"}

// randomTree gives names contents such that no file is in another file.
func randomTree(r *rand.Rand) map[string]string {
	tree := make(map[string]string)
	for _, name := range etcNames {
		if belowFile(tree, name) || r.IntN(3) == 0 {
			continue
		}
		kind := r.IntN(6)
		if holdsOthers(name) && r.IntN(8) > 0 {
			kind = 1 // most conflicts of types end both programs, which shows little
		}
		switch kind {
		case 0:
			tree[name] = fmt.Sprintf("-> %d", r.IntN(3))
		case 1, 2:
			tree[name] = fmt.Sprintf("mode=%o /", 0o700+r.IntN(2)*0o55)
		default:
			tree[name] = fmt.Sprintf("mode=%o owner=%d %d", 0o600+r.IntN(2)*0o44, r.IntN(2), r.IntN(3))
		}
	}
	return tree
}

// holdsOthers reports whether other names are below name.
func holdsOthers(name string) bool {
	return slices.ContainsFunc(etcNames, func(n string) bool { return strings.HasPrefix(n, name+"/") })
}

// belowFile reports whether something above name is no directory.
func belowFile(tree map[string]string, name string) bool {
	for p := parentName(name); p != ""; p = parentName(p) {
		if c := tree[p]; c != "" && !strings.HasSuffix(c, "/") {
			return true
		}
	}
	return false
}

func parentName(name string) string {
	dir, _, _ := cutLast(name)
	return dir
}

func cutLast(name string) (dir, base string, ok bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// underEtc makes a change of the tree of a commit.
func underEtc(tree map[string]string) map[string]string {
	out := map[string]string{"usr/etc/conf": "-", "usr/etc/dir/file": "-", "usr/etc/link": "-", "usr/etc/secret": "-", "usr/etc/": "mode=755 "}
	for name, content := range tree {
		if strings.HasSuffix(content, "/") {
			name, content = name+"/", strings.TrimSuffix(content, "/")
		}
		out["usr/etc/"+name] = content
	}
	return out
}

// changeEtc does to a directory what an administrator may do.
func changeEtc(t *testing.T, r *rand.Rand, dir string, tree map[string]string) {
	other := randomTree(r)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if r.IntN(3) == 0 {
			removeAll(t, dir+"/"+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(other)) {
		if r.IntN(2) == 0 {
			continue
		}
		content := other[name]
		for _, p := range []string{parentName(parentName(name)), parentName(name)} {
			if p != "" && !isDirectory(dir+"/"+p) {
				removeAll(t, dir+"/"+p)
			}
		}
		removeAll(t, dir+"/"+name)
		if strings.HasSuffix(content, "/") {
			name, content = name+"/", strings.TrimSuffix(content, "/")
		}
		plant(t, dir, map[string]string{name: content})
	}
}
