package solv

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rpmOrder asks rpm's Python binding to order packages; it reads a list of transactions.
const rpmOrder = `
import json, rpm, sys
for packages in json.load(sys.stdin):
    ts = rpm.TransactionSet('/')
    ts.setVSFlags(-1)
    for name, arch, req, pre in packages:
        h = rpm.hdr()
        h['name'], h['version'], h['release'], h['arch'], h['os'] = name, '1', '1', arch, 'linux'
        h['sourcerpm'] = 'x.src.rpm'
        h['providename'], h['provideversion'], h['provideflags'] = [name], ['1-1'], [8]
        names = req + pre
        if names:
            h['requirename'], h['requireversion'] = names, [''] * len(names)
            h['requireflags'] = [0] * len(req) + [512] * len(pre)
        ts.addInstall(rpm.hdr(h.unload()), name, 'i')
    ts.order()
    print(' '.join(te.N() for te in ts))
`

type orderCase [][4]any

func randomOrderCase(rng *rand.Rand) orderCase {
	n := 2 + rng.Intn(14)
	var c orderCase
	for i := range n {
		var lists [2][]string
		for k := range lists {
			lists[k] = []string{}
			for range rng.Intn(3 - k) {
				if name := fmt.Sprintf("p%02d", rng.Intn(n)); !slices.Contains(lists[k], name) {
					lists[k] = append(lists[k], name)
				}
			}
		}
		slices.Sort(lists[0])
		slices.Sort(lists[1])
		c = append(c, [4]any{fmt.Sprintf("p%02d", i), "noarch", lists[0], lists[1]})
	}
	return c
}

func (c orderCase) run() string {
	p := NewPool("x86_64")
	r := p.AddRepo("r", 99, 1000)
	var tr Transaction
	for _, k := range c {
		pkg := Package{Name: k[0].(string), EVR: "1-1", Arch: k[1].(string)}
		pkg.Provides = []Dep{{Name: pkg.Name, Op: 2, EVR: "1-1"}}
		for i, pre := range []bool{false, true} {
			for _, d := range k[2+i].([]string) {
				pkg.Requires = append(pkg.Requires, Dep{Name: d, Pre: pre})
			}
		}
		tr.Steps = append(tr.Steps, Step{ID: r.Add(pkg), Kind: StepInstall})
	}
	var names []string
	for _, id := range p.Order(&tr) {
		names = append(names, p.Info(id).Name)
	}
	return strings.Join(names, " ")
}

func TestOrderAsRpm(t *testing.T) {
	if out, err := exec.Command("/usr/bin/python3", "-c", "import rpm; rpm.hdr").CombinedOutput(); err != nil {
		missing(t, "rpm's Python binding", string(out))
	}
	rng := rand.New(rand.NewSource(1))
	cases := make([]orderCase, 300)
	for i := range cases {
		cases[i] = randomOrderCase(rng)
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", rpmOrder)
	cmd.Stdin = strings.NewReader(string(in))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for i, want := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if got := cases[i].run(); got != want {
			if bad++; bad < 4 {
				t.Errorf("%v:\n got %s\nwant %s", cases[i], got, want)
			}
		}
	}
	t.Logf("%d of %d differ", bad, len(cases))
}

// missing skips a test whose oracle is not installed, except where all have to be.
func missing(t *testing.T, what, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %s", what, why)
	}
	t.Skipf("%s is missing: %s", what, why)
}
