package passwd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	basePasswd = "root:x:0:0:root:/root:/bin/bash\n# comment\nbin:x:1:1:bin:/bin:/usr/sbin/nologin\n"
	baseGroup  = "root:x:0:\nbin:x:1:\nwheel:x:10:alice\n"
)

func parse(t *testing.T, passwd, group string) Database {
	t.Helper()
	db, err := Parse([]byte(passwd), []byte(group))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestParse(t *testing.T) {
	db := parse(t, basePasswd, baseGroup)
	if uid, ok := db.UID("bin"); !ok || uid != 1 {
		t.Errorf("UID(bin) = %d, %v", uid, ok)
	}
	if _, ok := db.GID("nobody"); ok {
		t.Error("GID(nobody) found")
	}
	if got, want := string(db.GroupFile()), baseGroup; got != want {
		t.Errorf("GroupFile = %q, want %q", got, want)
	}
	for _, bad := range []string{"root:x:0\n", "a:x:b:0:::\n", "a:x:4294967296:0:::\n"} {
		if _, err := Parse([]byte(bad), nil); err == nil {
			t.Errorf("Parse accepts %q", bad)
		}
	}
}

func TestAddedKeepSysusers(t *testing.T) {
	before := parse(t, basePasswd, baseGroup)
	after := parse(t, basePasswd+"svc:x:990:985:A \"b\":/:/sbin/nologin\n", "root:x:0:\nbin:x:1:\nwheel:x:10:alice,svc\nsvc:x:985:\n")
	added, joined := after.Added(before)
	previous := parse(t, "svc:x:970:960::/:\n", "svc:x:960:\n")
	kept := after.Keep(added, previous)
	if u, _ := kept.User("svc"); u.UID != 970 || u.GID != 960 {
		t.Errorf("Keep: %+v", u)
	}
	taken := parse(t, "svc:x:1:1::/:\n", "svc:x:1:\n")
	if u, _ := after.Keep(added, taken).User("svc"); u.UID != 990 || u.GID != 985 {
		t.Errorf("Keep took a number that is in use: %+v", u)
	}
	added, _ = kept.Added(before)
	got := map[string]string{}
	for _, f := range added.Sysusers(joined) {
		got[f.Name] = string(f.Text)
	}
	want := map[string]string{
		"30-rpmostree-pkg-group-svc.conf":         sysusersHead + "g svc 960\n",
		"35-rpmostree-pkg-user-svc.conf":          sysusersHead + "u svc 970:960 \"A \\\"b\\\"\" / /sbin/nologin\n",
		"40-rpmostree-pkg-usermod-svc-wheel.conf": sysusersHead + "m svc wheel\n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMerge(t *testing.T) {
	a := parse(t, basePasswd, baseGroup)
	b := parse(t, "bin:x:7:7::/:\nx:x:8:8::/:\n", "x:x:8:\n")
	m := a.Merge(b)
	if u, _ := m.User("bin"); u.UID != 1 {
		t.Error("Merge replaced an entry")
	}
	if uid, ok := m.UID("x"); !ok || uid != 8 {
		t.Error("Merge lost an entry")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(basePasswd), []byte(baseGroup))
	f.Fuzz(func(t *testing.T, p, g []byte) {
		db, err := Parse(p, g)
		if err != nil {
			return
		}
		again, err := Parse(db.PasswdFile(), db.GroupFile())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(db, again); d != "" {
			t.Error(d)
		}
	})
}
