package evr_test

import (
	"fmt"

	"rpmostree/rpm/evr"
)

func Example() {
	fmt.Println(evr.Vercmp("1.0~rc1", "1.0"), evr.Vercmp("1.10", "1.9"), evr.CompareStrings("1:1-1", "2-1"))
	n, err := evr.ParseNEVRA("bash-5.2.26-3.fc40.x86_64")
	fmt.Println(n.Name, n.Version, n.Release, n.Arch, err)
	fmt.Println(evr.Overlap(evr.Range{Op: evr.EQ, EVR: "2.1-4"}, evr.Range{Op: evr.GT | evr.EQ, EVR: "2"}))
	// Output:
	// -1 1 1
	// bash 5.2.26 3.fc40 x86_64 <nil>
	// true
}
