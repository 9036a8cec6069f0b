package treefile_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"rpmostree/treefile"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"host.yaml": "include: base.yaml\nref: host/${basearch}/stable\npackages: [vim-enhanced]\n",
		"base.yaml": "ref: base\npackages: [bash, systemd]\nrecommends: false\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	t, err := treefile.Load(filepath.Join(dir, "host.yaml"), treefile.Options{Arch: "x86_64"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Ref)
	fmt.Println(t.Packages)
	fmt.Println(t.Recommends.Enabled(), t.Documentation.Enabled())
	// Output:
	// host/x86_64/stable
	// [bash systemd vim-enhanced]
	// false true
}
