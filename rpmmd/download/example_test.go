package download_test

import (
	"context"
	"fmt"
	"log"

	"rpmostree/rpmmd"
	"rpmostree/rpmmd/download"
)

// The first package of a repository is fetched into the cache.
func Example() {
	d, err := download.New(download.Options{CacheDir: "/var/cache/example"})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	ctx := context.Background()
	repo := rpmmd.NewRepoConfig("example")
	repo.BaseURL = []string{"https://example.com/repo/"}
	snapshot, err := d.Refresh(ctx, repo)
	if err != nil {
		log.Fatal(err)
	}
	var pkgs []*rpmmd.Package
	err = snapshot.Primary(ctx, func(p *rpmmd.Package) error {
		pkgs = append(pkgs, p)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	path, err := snapshot.FetchPackage(ctx, pkgs[0])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pkgs[0], "is at", path)
}
