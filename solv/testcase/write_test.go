package testcase

import (
	"strings"
	"testing"

	"rpmostree/solv"
)

func TestWriteTestTags(t *testing.T) {
	const text = `=Ver: 3.0
=Pkg: a 1 2 noarch
=Req: b >= 2
=Req: (b & c) | d
=Prq: /bin/sh
=Prv: a = 1-2
=Prv: x(y) = 1
=Con: \2fbin/a < 2
=Sup: p <IF> (q <ELSE> r)
=Vnd: V e
=Tim: 5
=Fls: /usr/bin/a
=Pkg: b 1 - -
`
	p := solv.NewPool("")
	r := p.AddRepo("r", 0, 0)
	AddTestTags(p, r, text)
	var b strings.Builder
	if err := WriteTestTags(&b, p, r); err != nil {
		t.Fatal(err)
	}
	if b.String() != text {
		t.Errorf("got\n%s", b.String())
	}
}
