package createrepo_test

import (
	"context"
	"fmt"
	"log"

	"rpmostree/rpmmd/createrepo"
)

func ExampleWrite() {
	md, err := createrepo.Write(context.Background(), "/srv/repo", createrepo.Options{Compression: "zstd"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("revision", md.Revision)
}
