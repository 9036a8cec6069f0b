package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rpmostree/internal/core/sack"
	"rpmostree/solv"
	"rpmostree/solv/testcase"
)

// real tries every package of CentOS Stream 9's repositories by itself. One of these is much
// older than the other, so that thousands cannot be installed. testsolv has to agree about each
// of them, and every answer is judged by itself too: a solution has to be valid and a proof sound.
// A sample is compared line by line.
func real(ctx context.Context, o options) error {
	all := sack.New("x86_64")
	p := all.Pool
	p.SetFlags(solv.PoolFlags{ImplicitObsoletesUseColors: true, HideExcluded: true})
	var repos strings.Builder
	var ids []solv.ID
	for _, name := range []string{"cs9-appstream", "cs9-baseos"} {
		x, err := index(filepath.Join(o.real, name))
		if err != nil {
			return err
		}
		r := load(all, name, x)
		if err := save(p, r, filepath.Join(o.keep, name+".repo")); err != nil {
			return err
		}
		fmt.Fprintf(&repos, "repo %s -99.-1000 testtags %s.repo\n", name, name)
		ids = append(ids, r.IDs()...)
	}
	can, err := verdicts(ctx, p, ids, o, repos.String())
	if err != nil {
		return err
	}
	sample, err := askAbout(ctx, p, ids, o, repos.String())
	if err != nil {
		return err
	}
	return judge(ctx, p, ids, can, sample)
}

// askAbout has testsolv answer about a sample of packages.
func askAbout(ctx context.Context, p *solv.Pool, ids []solv.ID, o options, repos string) (map[solv.ID][]string, error) {
	var text strings.Builder
	text.WriteString(repos + "system x86_64 rpm\n")
	var asked []solv.ID
	for i := int(o.seed) % 7; i < len(ids); i += max(1, len(ids)/max(o.n, 1)) {
		if len(asked) > 0 {
			text.WriteString("nextjob\n")
		}
		asked = append(asked, ids[i])
		fmt.Fprintf(&text, "%sjob install pkg %s\nresult transaction,problems\n", header, testcase.PackageString(p, ids[i]))
	}
	file := filepath.Join(o.keep, "real.t")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return nil, err
	}
	answers, err := testsolv(ctx, file)
	if err != nil {
		return nil, err
	}
	if len(answers) != len(asked) {
		return nil, fmt.Errorf("%s: %d answers about %d packages", file, len(answers), len(asked))
	}
	sample := map[solv.ID][]string{}
	for i, id := range asked {
		sample[id] = answers[i]
	}
	return sample, nil
}

// judge checks every answer, and compares its verdict with testsolv's and the lines of the sample.
func judge(ctx context.Context, p *solv.Pool, ids []solv.ID, can map[string]bool, sample map[solv.ID][]string) error {
	bad, impossible, native, proofs, agreed, theirs, equal, other := 0, 0, 0, 0, 0, 0, 0, 0
	complain := func(id solv.ID, format string, args ...any) {
		if bad++; bad <= 20 {
			fmt.Printf("%s: %s\n", p.String(id), fmt.Sprintf(format, args...))
		}
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		st := testcase.Step{Pool: p, Jobs: []solv.Job{{Action: solv.Install, Select: solv.SelectPackage(id)}}, Options: solv.LibdnfOptions()}
		res, lines := st.Run()
		if len(res.Problems) == 0 {
			if err := valid(p, id, res.Transaction.Installed()); err != nil {
				complain(id, "%v", err)
			}
		} else {
			impossible++
			if p.Info(id).Arch != "i686" {
				native++
			}
		}
		verdict := can[testcase.PackageString(p, id)]
		if !verdict {
			theirs++
		}
		if verdict == (len(res.Problems) == 0) {
			agreed++
		} else {
			complain(id, "only one side can install it; testsolv: %v", verdict)
		}
		for _, pr := range res.Problems {
			proofs++
			if err := sound(p, id, pr); err != nil {
				complain(id, "%v", err)
			}
		}
		answer, asked := sample[id]
		switch d := testcase.Diff(answer, lines); {
		case !asked:
		case d == "":
			equal++
		case unsolved(lines) && unsolved(answer):
			other++
		default:
			complain(id, "testsolv answers otherwise\n%s", d)
		}
	}
	fmt.Printf("real metadata: %d packages, %d of them cannot be installed, by testsolv %d; the same verdict about %d\n", len(ids), impossible, theirs, agreed)
	fmt.Printf("real metadata: without those of i686, most of which are there for x86_64 too, %d cannot be installed\n", native)
	fmt.Printf("real metadata: %d proofs; of %d answers of testsolv %d equal, %d with another explanation; %d bad\n",
		proofs, len(sample), equal, other, bad)
	if bad > 0 {
		return errors.New("answers about real metadata are wrong")
	}
	return nil
}
