package pull

import (
	"context"

	"rpmostree/ostree/repo"
)

// Summary returns the summary of a remote and its signature, each nil if the remote
// has none. The signature is checked if the remote's configuration demands it.
func Summary(ctx context.Context, r *repo.Repo, remote string, o Options) (summary, sig []byte, err error) {
	m, err := findRemote(r, remote)
	if err != nil {
		return nil, nil, err
	}
	if o.URL != "" {
		m.URL, m.Metalink, m.ContentURL = o.URL, "", ""
	}
	if m.GPGVerifySummary || len(m.SignSummary) > 0 {
		if err := checkPolicy(m, o.Verify); err != nil {
			return nil, nil, err
		}
	}
	if path, ok := localPath(m.URL); ok {
		src, err := repo.Open(path)
		if err != nil {
			return nil, nil, err
		}
		defer src.Close()
		summary, sig, err = src.ReadSummary()
		if err == nil && o.Verify != nil && (m.GPGVerifySummary || len(m.SignSummary) > 0) {
			err = o.Verify.VerifySummary(m, summary, sig)
		}
		return summary, sig, err
	}
	p, err := newPuller(ctx, r, m, o)
	if err != nil {
		return nil, nil, err
	}
	defer p.client.Close()
	err = p.readSummary(ctx)
	return p.rawSummary, p.rawSig, err
}
