package rpm_test

import (
	"bytes"
	"fmt"
	"io"
	"log"

	"rpmostree/rpm"
)

// A package is written, and read again with everything verified.
func Example() {
	b := rpm.Builder{
		Name: "hello", Version: "1.0", Release: "1", Arch: "noarch",
		Requires: []rpm.Dep{{Name: "bash", Flags: rpm.DepGreater | rpm.DepEqual, EVR: "5"}},
		Files: []rpm.BuildFile{
			{File: rpm.File{Path: "/usr/bin/hello", Mode: 0o100755}, Data: []byte("#!/bin/bash\necho hello\n")},
			{File: rpm.File{Path: "/usr/bin/hi", Mode: 0o120777, LinkTo: "hello"}},
		},
	}
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		log.Fatal(err)
	}

	p, err := rpm.Open(&file, rpm.Options{Level: rpm.LevelDigest})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Header.NEVRA())
	for _, d := range p.Header.Requires() {
		if d.Flags&rpm.DepRpmlib == 0 {
			fmt.Println("needs", d)
		}
	}
	files := p.Header.Files()
	payload, err := p.Payload()
	if err != nil {
		log.Fatal(err)
	}
	for {
		m, err := payload.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		n, err := io.Copy(io.Discard, payload)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(files[m.Index].Path, n)
	}
	// Output:
	// hello-1.0-1.noarch
	// needs bash >= 5
	// /usr/bin/hello 23
	// /usr/bin/hi 5
}
