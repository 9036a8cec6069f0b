package sysroot_test

import (
	"fmt"
	"log"
	"os"

	"rpmostree/ostree/sysroot"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "sysroot")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := sysroot.InitFS(dir, 1); err != nil {
		log.Fatal(err)
	}

	st, err := sysroot.Load(dir)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range st.Deployments {
		fmt.Println(d.OSName, d.Checksum, d.Refspec(), d.Kargs())
	}
	fmt.Println(len(st.Deployments), "deployments")
	// Output: 0 deployments
}
