package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rpmostree/solv"
	"rpmostree/solv/testcase"
)

// real tries every package of CentOS Stream 9's repositories by itself. One of these is much
// older than the other, so that thousands cannot be installed.
func real(ctx context.Context, o options) error {
	p := solv.NewPool("x86_64")
	p.SetFlags(solv.PoolFlags{ImplicitObsoletesUseColors: true, HideExcluded: true})
	var text strings.Builder
	var ids []solv.ID
	for _, name := range []string{"cs9-appstream", "cs9-baseos"} {
		dir := filepath.Join(o.real, name)
		r, err := load(p, name, dir)
		if err != nil {
			return err
		}
		if err := save(p, r, filepath.Join(o.keep, name+".repo")); err != nil {
			return err
		}
		fmt.Fprintf(&text, "repo %s -99.-1000 testtags %s.repo\n", name, name)
		ids = append(ids, r.IDs()...)
	}
	text.WriteString("system x86_64 rpm\n")
	for i, id := range ids {
		if i > 0 {
			text.WriteString("nextjob\n")
		}
		fmt.Fprintf(&text, "%sjob install pkg %s\nresult transaction,problems /dev/null\n", header, testcase.PackageString(p, id))
	}
	file := filepath.Join(o.keep, "real.t")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return err
	}
	answers, err := testsolv(ctx, file)
	if err != nil {
		return err
	}
	if len(answers) != len(ids) {
		return fmt.Errorf("%s: %d answers about %d packages", file, len(answers), len(ids))
	}
	return judge(ctx, p, ids, answers)
}

// judge compares verdicts and checks proofs.
func judge(ctx context.Context, p *solv.Pool, ids []solv.ID, answers [][]string) error {
	bad, impossible, proofs, other := 0, 0, 0, 0
	complain := func(id solv.ID, format string, args ...any) {
		if bad++; bad <= 20 {
			fmt.Printf("%s: %s\n", p.String(id), fmt.Sprintf(format, args...))
		}
	}
	for i, id := range ids {
		st := testcase.Step{Pool: p, Jobs: []solv.Job{{Action: solv.Install, Select: solv.SelectPackage(id)}}, Options: solv.LibdnfOptions()}
		res, lines := st.Run()
		if unsolved(lines) != unsolved(answers[i]) {
			complain(id, "only one side can install it\n%s", testcase.Diff(answers[i], lines))
			continue
		}
		if len(res.Problems) == 0 {
			if testcase.Diff(answers[i], lines) != "" {
				complain(id, "another transaction\n%s", testcase.Diff(answers[i], lines))
			}
			continue
		}
		impossible++
		if testcase.Diff(answers[i], lines) != "" {
			other++
		}
		for _, pr := range res.Problems {
			proofs++
			if err := sound(p, id, pr); err != nil {
				complain(id, "%v", err)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Printf("real metadata: %d packages, %d cannot be installed, %d proofs, %d explained in other words, %d bad\n", len(ids), impossible, proofs, other, bad)
	if bad > 0 {
		return errors.New("answers about real metadata are wrong")
	}
	return nil
}
