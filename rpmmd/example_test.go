package rpmmd_test

import (
	"fmt"
	"log"
	"strings"

	"rpmostree/rpmmd"
)

func ExampleParseRepos() {
	repos, err := rpmmd.ParseRepos("fedora.repo", []byte(`
[fedora]
name=Fedora $releasever - $basearch
metalink=https://mirrors.fedoraproject.org/metalink?repo=fedora-$releasever&arch=$basearch
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-$releasever-$basearch
`), rpmmd.NewVars("39", "x86_64"))
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range repos {
		fmt.Println(r.ID, r.Name, r.GPGKey)
	}
	// Output: fedora Fedora 39 - x86_64 [file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-39-x86_64]
}

func ExampleParsePrimary() {
	xml := `<metadata packages="1"><package type="rpm">
  <name>bash</name><arch>x86_64</arch><version epoch="0" ver="5.2" rel="1"/>
  <checksum type="sha256" pkgid="YES">00</checksum><location href="Packages/bash-5.2-1.x86_64.rpm"/>
  <format><rpm:requires><rpm:entry name="glibc" flags="GE" epoch="0" ver="2.38"/></rpm:requires></format>
</package></metadata>`
	err := rpmmd.ParsePrimary(strings.NewReader(xml), func(p *rpmmd.Package) error {
		fmt.Println(p, "requires", p.Requires[0])
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: bash-5.2-1.x86_64 requires glibc >= 2.38
}
