package prepareroot_test

import (
	"fmt"

	"rpmostree/ostree/sysroot/prepareroot"
)

func ExampleTarget() {
	link, err := prepareroot.Target("root=LABEL=root rw ostree=/ostree/boot.1/os/0123abcd/0 quiet")
	fmt.Println(link, err)
	// Output: /ostree/boot.1/os/0123abcd/0 <nil>
}
