package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// A bigInput is a made-up tree of the size of a desktop's, the same in every run, and
// repositories with it, which the peer makes. Each part is made when it is first wanted.
type bigInput struct {
	dir      string
	tree     string // directory with the tree
	next     string // the tree some weeks later
	size     string
	repo     string // bare, with both as the commits "old" and "new"
	archive  string // the same
	history  string // bare, with many small commits
	delta    string // from "old" to "new"
	listener net.Listener
}

// The shape of the big tree.
const (
	bigFiles = 52_000
	bigBytes = 2_200_000_000
	bigSeed  = 20
	// Of the files, one in changeEvery differs in the next tree.
	changeEvery = 25
	historySize = 200 // commits
)

func (b *bigInput) close() {
	if b.listener != nil {
		b.listener.Close()
	}
}

// trees makes the two trees.
func (b *bigInput) trees() error {
	if b.tree != "" {
		return nil
	}
	tree, next := filepath.Join(b.dir, "tree"), filepath.Join(b.dir, "next")
	if err := growTree(tree, bigFiles, bigBytes, bigSeed); err != nil {
		return err
	}
	if err := ageTree(tree, next); err != nil {
		return err
	}
	size, err := sizeOf(tree)
	b.tree, b.next, b.size = tree, next, size
	return err
}

// repos makes the two repositories.
func (b *bigInput) repos(ctx context.Context) error {
	if b.repo != "" {
		return nil
	}
	if err := b.trees(); err != nil {
		return err
	}
	repo, archive := filepath.Join(b.dir, "repo"), filepath.Join(b.dir, "archive")
	commit := func(ref, dir string) command {
		return command{peerOSTree, "--repo=" + repo, "commit", "-b", ref, "--tree=dir=" + dir}
	}
	err := all(ctx,
		command{peerOSTree, "--repo=" + repo, "init", "--mode=bare"},
		commit("old", b.tree), commit("new", b.next),
		command{peerOSTree, "--repo=" + archive, "init", "--mode=archive"},
		command{peerOSTree, "--repo=" + archive, "pull-local", repo, "old", "new"},
		command{peerOSTree, "--repo=" + archive, "summary", "-u"})
	b.repo, b.archive = repo, archive
	return err
}

// url returns the URL of the archive repository, served by this process.
func (b *bigInput) url(ctx context.Context) (string, error) {
	if err := b.repos(ctx); err != nil {
		return "", err
	}
	if b.listener == nil {
		var err error
		if b.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
		go http.Serve(b.listener, http.FileServer(http.Dir(b.archive)))
	}
	return "http://" + b.listener.Addr().String(), nil
}

// commits makes a repository with a long history of small changes to a small tree.
func (b *bigInput) commits(ctx context.Context) (string, error) {
	if b.history != "" {
		return b.history, nil
	}
	repo, tree := filepath.Join(b.dir, "history"), filepath.Join(b.dir, "history-tree")
	if err := growTree(tree, 2000, 20_000_000, bigSeed+1); err != nil {
		return "", err
	}
	if err := do(ctx, peerOSTree, "--repo="+repo, "init", "--mode=bare"); err != nil {
		return "", err
	}
	for i := range historySize {
		for n := range 20 {
			path := filepath.Join(tree, fmt.Sprintf("changing-%d", n))
			if err := os.WriteFile(path, fmt.Appendf(nil, "change %d of file %d\n", i, n), 0o644); err != nil {
				return "", err
			}
		}
		if err := do(ctx, peerOSTree, "--repo="+repo, "commit", "--fsync=false", "-b", "main", "--tree=dir="+tree); err != nil {
			return "", err
		}
	}
	b.history = repo
	return repo, nil
}

// peerDelta returns the directory of the peer's static delta from "old" to "new".
func (b *bigInput) peerDelta(ctx context.Context) (string, error) {
	if b.delta != "" {
		return b.delta, nil
	}
	if err := b.repos(ctx); err != nil {
		return "", err
	}
	repo, err := linked(ctx, b.archive, filepath.Join(b.dir, "with-delta"))
	if err != nil {
		return "", err
	}
	if err := do(ctx, peerOSTree, "--repo="+repo, "static-delta", "generate", "--from=old", "--to=new"); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(repo, "deltas/*/*/superblock"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%d static deltas in %s: %w", len(found), repo, err)
	}
	b.delta = filepath.Dir(found[0])
	return b.delta, nil
}

// linked returns a copy of a repository in dir whose objects are hard links, so that they are
// the same inodes. Neither side ever writes to an object.
func linked(ctx context.Context, repo, dir string) (string, error) {
	to := filepath.Join(dir, "repo")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return to, do(ctx, "cp", "-al", repo, to)
}

// growTree writes a tree of about so many files and bytes. Most files are small and most
// bytes are in few large ones, as in an operating system; two of three compress well.
func growTree(root string, files int, bytes int64, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, seed))
	sizes := make([]float64, files)
	var sum float64
	for i := range sizes {
		// Log-normal, with a median of 3 kB and a long tail.
		sizes[i] = min(math.Exp(8+2.2*r.NormFloat64()), 150e6)
		sum += sizes[i]
	}
	scale := float64(bytes) / sum
	dirs := []string{root}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for i, size := range sizes {
		if i%9 == 0 {
			parent := dirs[r.IntN(len(dirs))]
			if depthOf(parent, root) < 8 {
				d := filepath.Join(parent, "dir"+strconv.Itoa(i))
				if err := os.Mkdir(d, 0o755); err != nil {
					return err
				}
				dirs = append(dirs, d)
			}
		}
		name := filepath.Join(dirs[r.IntN(len(dirs))], "file"+strconv.Itoa(i))
		if i%17 == 0 {
			if err := os.Symlink("dir"+strconv.Itoa(i)+"/target", name); err != nil {
				return err
			}
			continue
		}
		mode := fs.FileMode(0o644)
		if i%5 == 0 {
			mode = 0o755
		}
		n := int64(size * scale)
		if n > 1<<20 { // what the scaling did to the large ones evens out
			n = n/4096*4096 + 1
		}
		if err := writeContent(name, n, mode, r.Uint64(), i%3 == 0); err != nil {
			return err
		}
	}
	return nil
}

// depthOf counts the names between a directory and one below it, from 1.
func depthOf(path, root string) int {
	rel, _ := filepath.Rel(root, path)
	depth := 1
	for _, c := range rel {
		if c == filepath.Separator {
			depth++
		}
	}
	return depth
}

// writeContent writes a file of that many bytes, made from the seed.
func writeContent(path string, size int64, mode fs.FileMode, seed uint64, dense bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	var content io.Reader = newText(seed)
	if dense {
		var key [32]byte
		for i := range 8 {
			key[i] = byte(seed >> (8 * i))
		}
		content = rand.NewChaCha8(key)
	}
	_, err = io.CopyN(w, content, size)
	return errors.Join(err, w.Flush(), f.Close())
}

// text is an endless stream of words and numbers.
type text struct {
	r     *rand.Rand
	words []string
	rest  []byte
}

func newText(seed uint64) *text {
	r := rand.New(rand.NewPCG(seed, 1))
	words := make([]string, 400)
	for i := range words {
		w := make([]byte, 2+r.IntN(9))
		for j := range w {
			w[j] = byte('a' + r.IntN(26))
		}
		words[i] = string(w)
	}
	return &text{r: r, words: words}
}

func (t *text) Read(p []byte) (int, error) {
	for len(t.rest) < len(p) {
		if t.r.IntN(12) == 0 {
			t.rest = strconv.AppendUint(t.rest, t.r.Uint64(), 16)
		} else {
			t.rest = append(t.rest, t.words[t.r.IntN(len(t.words))]...)
		}
		t.rest = append(t.rest, ' ')
	}
	n := copy(p, t.rest)
	t.rest = append(t.rest[:0], t.rest[n:]...)
	return n, nil
}

// ageTree makes a tree in which some files of another have changed in places, some are
// gone, and some are new. What is the same is a hard link.
func ageTree(from, to string) error {
	r := rand.New(rand.NewPCG(bigSeed, 7))
	n := 0
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dest := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(dest, 0o755)
		}
		if n++; !d.Type().IsRegular() || n%changeEvery != 0 {
			return os.Link(path, dest)
		}
		switch r.IntN(10) {
		case 0:
			return nil
		case 1:
			if err := writeContent(dest+".new", 1+int64(r.IntN(60_000)), 0o644, r.Uint64(), false); err != nil {
				return err
			}
			return os.Link(path, dest)
		}
		return editFile(path, dest, r)
	})
}

// editFile writes a file in which a few places differ from another one: some bytes are
// replaced, some are inserted.
func editFile(from, to string, r *rand.Rand) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	for range 1 + r.IntN(4) {
		at := r.IntN(len(data) + 1)
		change := make([]byte, 1+r.IntN(40))
		for i := range change {
			change[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			data = append(data[:at:at], append(change, data[at:]...)...)
		} else {
			copy(data[at:], change)
		}
	}
	return os.WriteFile(to, data, st.Mode())
}
