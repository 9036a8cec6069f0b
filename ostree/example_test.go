package ostree_test

import (
	"fmt"
	"strings"

	"rpmostree/ostree"
)

func Example() {
	file := ostree.FileHeader{Mode: ostree.ModeRegular | 0o644}
	sum, _ := ostree.FileChecksum(file, strings.NewReader("hello\n"))
	root := ostree.DirTree{Files: []ostree.TreeFile{{Name: "greeting", Checksum: sum}}}
	meta := ostree.DirMeta{Mode: ostree.ModeDir | 0o755}
	commit := ostree.Commit{Subject: "first", Timestamp: 1, Tree: root.Checksum(), Meta: meta.Checksum()}

	again, err := ostree.ParseCommit(commit.Marshal())
	fmt.Println(again.Subject, err)
	fmt.Println(ostree.LoosePath(meta.Checksum(), ostree.ObjectDirMeta, false))
	// Output:
	// first <nil>
	// 44/6a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488.dirmeta
}
