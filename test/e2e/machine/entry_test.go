package machine

import (
	"testing"
	"testing/fstest"
)

func TestEntries(t *testing.T) {
	boot := fstest.MapFS{
		"ostree-1-lab.conf": {Data: []byte("title Lab 1 (ostree:1)\nversion 9\noptions ro ostree=/ostree/boot.1/lab/aa/0\n")},
		"ostree-2-lab.conf": {Data: []byte("title Lab 2 (ostree:0)\nversion 10\noptions root=LABEL=x  ostree=/old ostree=/ostree/boot.1/lab/bb/0\nlinux /v\ninitrd /i\n")},
		"README":            {Data: []byte("no entry")},
	}
	all, err := Entries(boot)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].File != "ostree-2-lab.conf" {
		t.Fatalf("got %+v; want two, version 10 first: versions are numbers", all)
	}
	if v, ok := all[0].Arg("ostree"); !ok || v != "/ostree/boot.1/lab/bb/0" {
		t.Errorf("ostree= is %q; want the last one", v)
	}
	if _, ok := all[1].Arg("root"); ok {
		t.Error("an argument that is not there was found")
	}
	if _, err := Entries(fstest.MapFS{}); err == nil {
		t.Error("an empty folder has no boot entries, but no error came")
	}
	bad := fstest.MapFS{"a.conf": {Data: []byte("version x\n")}}
	if _, err := Entries(bad); err == nil {
		t.Error("a version that is no number was accepted")
	}
}
