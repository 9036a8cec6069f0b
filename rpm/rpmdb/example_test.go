package rpmdb_test

import (
	"bytes"
	"fmt"
	"log"

	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
)

// A database is made of packages' headers, and read back from bytes as it
// could be from a file.
func Example() {
	var pkg bytes.Buffer
	b := rpm.Builder{Name: "hello", Version: "1.0", Release: "1", Arch: "noarch"}
	if err := b.Write(&pkg); err != nil {
		log.Fatal(err)
	}
	pkg.Next(96) // the lead
	sig, err := rpm.ReadSignatureHeader(&pkg)
	if err != nil {
		log.Fatal(err)
	}
	hdr, err := rpm.ReadHeader(&pkg)
	if err != nil {
		log.Fatal(err)
	}
	entry, err := rpmdb.NewEntry(sig, hdr, rpmdb.InstallInfo{Time: 1700000000, TID: 1700000000})
	if err != nil {
		log.Fatal(err)
	}
	file, err := rpmdb.Encode([]rpmdb.Entry{entry}, rpmdb.Options{})
	if err != nil {
		log.Fatal(err)
	}

	db, err := rpmdb.Parse(file)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range db.Packages() {
		fmt.Println(p.HeaderNum, p.Header.Name(), p.Header.Version(), db.Format())
	}
	// Output: 1 hello 1.0 sqlite
}
