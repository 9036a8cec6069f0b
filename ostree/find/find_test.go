package find

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
)

// signed accepts every commit, or refuses those of a time.
type signed struct{ refused uint64 }

var errRefused = errors.New("refused")

func (s signed) VerifyCommit(m *repo.Remote, commit, detached []byte) error {
	c, err := ostree.ParseCommit(commit)
	if err == nil && c.Timestamp == s.refused {
		err = errRefused
	}
	return err
}

func (signed) Check(*repo.Remote) error { return nil }

func (signed) VerifySummary(*repo.Remote, []byte, []byte) error { return nil }

const collection = "org.example.C"

func ref(name string) ostree.CollectionRef {
	return ostree.CollectionRef{Collection: collection, Ref: name}
}

func newRepo(t *testing.T, path, id string) *repo.Repo {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	r, err := repo.Init(path, repo.InitOptions{Mode: repo.Archive, CollectionID: id})
	must(t, err)
	t.Cleanup(func() { r.Close() })
	k := r.Config()
	must(t, k.Set("core", "fsync", "false"))
	must(t, r.SetConfig(k))
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// commitTo makes a commit of a ref of the collection, and the summary.
func commitTo(t *testing.T, r *repo.Repo, name string, timestamp uint64) ostree.Checksum {
	t.Helper()
	return commitBound(t, r, name, collection, timestamp)
}

// commitBound is commitTo for a commit that says that it is of another collection, maybe.
func commitBound(t *testing.T, r *repo.Repo, name, bound string, timestamp uint64) ostree.Checksum {
	t.Helper()
	tx, err := r.Begin(t.Context(), repo.TransactionOptions{})
	must(t, err)
	defer tx.Abort()
	tree, err := tx.ImportDir(t.TempDir(), repo.ImportOptions{})
	must(t, err)
	root, meta, err := tree.Write(tx)
	must(t, err)
	var d gvariant.Dict
	for key, text := range map[string]string{ostree.KeyRefBinding: "['" + name + "']", ostree.KeyCollectionBinding: "'" + bound + "'"} {
		v, err := gvariant.Parse("", text)
		must(t, err)
		d.Set(key, v)
	}
	c, err := tx.WriteCommit(&ostree.Commit{Metadata: d.Value(), Tree: root, Meta: meta, Timestamp: timestamp})
	must(t, err)
	if r.CollectionID() == collection {
		must(t, tx.SetRef("", name, c))
	} else {
		must(t, tx.SetMirrorRef(ref(name), c))
	}
	_, err = tx.Commit()
	must(t, err)
	must(t, r.UpdateSummary(t.Context(), repo.SummaryOptions{}))
	return c
}

// world has a repository with the remotes "far", which has an older commit of "both", and
// "other", which is of another collection.
func world(t *testing.T) (r *repo.Repo, far *repo.Repo, dir string) {
	t.Helper()
	dir = t.TempDir()
	r = newRepo(t, dir+"/here", "")
	far = newRepo(t, dir+"/far", collection)
	for name, id := range map[string]string{"far": collection, "other": "org.example.Other", "broken": collection} {
		must(t, r.AddRemote(name, [][2]string{{"url", "file://" + dir + "/" + name}, {"collection-id", id}, {"gpg-verify", "false"}}))
	}
	return r, far, dir
}

// TestExchangedCommits: a volume, or the remote of another collection, has a commit of that
// collection in the place of the one that was asked for. Its signature is good.
func TestExchangedCommits(t *testing.T) {
	r, far, dir := world(t)
	stick := newRepo(t, dir+"/stick/.ostree/repo", "")
	for _, from := range []*repo.Repo{stick, far} {
		commitBound(t, from, "both", "org.example.Other", 100)
	}
	o := Options{Pull: pull.Options{Verify: signed{}}}
	for name, f := range map[string]Finder{"volume": Mount{Roots: []string{dir + "/stick"}}, "remote": Config{}} {
		results, err := Find(t.Context(), r, []ostree.CollectionRef{ref("both")}, []Finder{f}, o)
		must(t, err)
		if len(results) != 1 {
			t.Fatalf("%s: %+v", name, results)
		}
		for _, o.Pull.Mirror = range []bool{false, true} {
			if err := Pull(t.Context(), r, results, o); err == nil || !strings.Contains(err.Error(), "Commit has collection ID ‘org.example.Other’ in collection binding metadata, while") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if mirrors, err := r.MirrorRefs(); err != nil || len(mirrors) != 0 {
			t.Errorf("%s: %v, %v", name, mirrors, err)
		}
		if refs, err := r.Refs(); err != nil || len(refs) != 0 {
			t.Errorf("%s: %v, %v", name, refs, err)
		}
	}
}

func TestFind(t *testing.T) {
	r, far, dir := world(t)
	old := commitTo(t, far, "both", 100)
	only := commitTo(t, far, "far-only", 100)
	stick := newRepo(t, dir+"/stick/.ostree/repo", "")
	newer := commitTo(t, stick, "both", 200)
	want := []ostree.CollectionRef{ref("both"), ref("far-only"), ref("none")}
	finders := []Finder{Config{}, Mount{Roots: []string{dir + "/stick", dir + "/nothing"}}}
	o := Options{Pull: pull.Options{Verify: signed{}}}

	results, err := Find(t.Context(), r, want, finders, o)
	must(t, err)
	if len(results) != 2 || results[0].Priority != 50 || results[1].Name != "far" {
		t.Fatalf("%+v", results)
	}
	got := []ostree.Checksum{results[0].Refs[0].Checksum, results[0].Refs[1].Checksum, results[1].Refs[0].Checksum, results[1].Refs[1].Checksum, results[1].Refs[2].Checksum}
	if !slices.Equal(got, []ostree.Checksum{newer, {}, {}, only, {}}) {
		t.Errorf("%v; old %v", got, old)
	}
	if results[0].Keyring() != "broken.trustedkeys.gpg" { // the first remote of the collection
		t.Error(results[0].Keyring())
	}

	// A pull that cannot verify a commit says which, and keeps the rest.
	bad := o
	bad.Pull.Verify = signed{200}
	err = Pull(t.Context(), r, results, bad)
	if err == nil || !errors.Is(err, errRefused) || !strings.HasPrefix(err.Error(), "Failed to pull some refs from the remotes: ("+collection+", both): ") {
		t.Errorf("%v", err)
	}
	must(t, Pull(t.Context(), r, results, o))
	for remote, name := range map[string]string{"broken": "both", "far": "far-only"} {
		if _, err := r.LookupRef(remote, name); err != nil {
			t.Error(err)
		}
	}
	mirror := o
	mirror.Pull.Mirror = true
	must(t, Pull(t.Context(), r, results, mirror))
	mirrors, err := r.MirrorRefs()
	if err != nil || len(mirrors) != 2 {
		t.Errorf("%v %v", mirrors, err)
	}
	results, err = Find(t.Context(), r, []ostree.CollectionRef{ref("none")}, finders, o)
	if err != nil || len(results) != 0 {
		t.Errorf("%v %v", results, err)
	}
}

// TestVolume has repositories at all places, and links that lead elsewhere.
func TestVolume(t *testing.T) {
	r, far, dir := world(t)
	commitTo(t, far, "a", 1)
	root := dir + "/stick"
	for path, name := range map[string]string{
		".ostree/repos.d/50-repo": "a", "some/where": "b", "ostree/repo": "c", "var/lib/flatpak/repo": "a", ".ostree/repo": "d",
	} {
		commitTo(t, newRepo(t, filepath.Join(root, path), ""), name, 5)
	}
	for name, target := range map[string]string{
		"00-out": "../../../far", "01-abs": dir + "/far", "02-self": "../../../here", "03-loop": "03-loop", "04-gone": "nowhere", "10-in": "../../some/where", "11-again": "../../some/where",
	} {
		must(t, os.Symlink(target, filepath.Join(root, ".ostree/repos.d", name)))
	}
	must(t, os.WriteFile(filepath.Join(root, ".ostree/repos.d/file"), nil, 0o644))
	var refs []ostree.CollectionRef
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		refs = append(refs, ref(name))
	}
	refs = append(refs, ostree.CollectionRef{Collection: "org.example.Unknown", Ref: "a"})
	results, err := Mount{Roots: []string{root}}.Find(r, refs)
	must(t, err)
	var got []string
	for _, res := range results {
		rel, err := filepath.Rel(root, strings.TrimPrefix(res.URL, "file://"))
		must(t, err)
		for _, x := range res.Refs {
			got = append(got, rel+" "+x.Ref)
		}
	}
	slices.Sort(got)
	want := []string{".ostree/repo d", ".ostree/repos.d/50-repo a", "ostree/repo c", "some/where b"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	// The directory of links may be a link too.
	must(t, os.Rename(root+"/.ostree", dir+"/moved"))
	must(t, os.Symlink(dir+"/moved", root+"/.ostree"))
	if results, err := (Mount{Roots: []string{root}}).Find(r, []ostree.CollectionRef{ref("d")}); err != nil || len(results) != 0 {
		t.Errorf("%v %v", results, err)
	}
}

// A summary that contradicts itself, or what is known, is not used.
func TestContradictions(t *testing.T) {
	r, far, _ := world(t)
	sum := commitTo(t, far, "a", 100)
	known := commits{repo: r, byName: map[ostree.Checksum]commit{}}
	size := ostree.SummaryRef{Name: "a", Size: 5, Checksum: sum}
	must(t, known.add(size))
	size.Size = 6
	if err := known.add(size); err == nil || !strings.Contains(err.Error(), "commit size 6B which did not match existing size 5B") {
		t.Error(err)
	}
	local := commits{repo: far, byName: map[ostree.Checksum]commit{}}
	data, _, err := far.ReadSummary()
	must(t, err)
	s, err := ostree.ParseSummary(data)
	must(t, err)
	a, _ := s.Lookup("a")
	must(t, local.add(a))
	local.byName[sum] = commit{a.Size, 7}
	if err := local.add(a); err == nil || !strings.Contains(err.Error(), "commit timestamp 100 which did not match existing timestamp 7") {
		t.Error(err)
	}
}

func TestVolumes(t *testing.T) {
	const mountinfo = `22 28 0:21 / /proc rw shared:12 - proc proc rw
28 1 8:1 / / rw - ext4 /dev/sda1 rw
30 28 8:17 / /run/media/ann/USB\040STICK rw,nosuid shared:9 master:2 - vfat /dev/sdb1 rw
31 28 8:18 / /run/media/bob/x rw - vfat /dev/sdb2 rw
32 28 0:40 / /media/tmp rw - tmpfs tmpfs rw
33 28 8:19 / /media/disk rw - ext4 /dev/sdc1 rw
34 28 8:20 / /media/disk rw - ext4 /dev/sdd1 rw
35 28 8:21 / /home/ann/.hidden/x rw - ext4 /dev/sde1 rw
36 28 8:22 / /home/ann/cam rw - fuse.sshfs x rw
37 28 8:23 / /home/anna rw - ext4 x rw
garbage
38 28 8:24 / /media/short -
`
	got, err := viewer{media: "/run/media/ann/", home: "/home/ann"}.volumes(strings.NewReader(mountinfo))
	if want := []string{"/run/media/ann/USB STICK", "/media/disk", "/home/ann/cam"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	if _, err := Volumes(); err != nil {
		t.Error(err)
	}
}

func TestRemoteName(t *testing.T) {
	name := remoteName("file:///run/media/ann/USB ST~CK%25")
	if err := ostree.ValidateRemoteName(name); err != nil || name != "file_3A_2F_2F_2Frun_2Fmedia_2Fann_2FUSB_20ST_7ECK_2525" {
		t.Errorf("%s %v", name, err)
	}
}
