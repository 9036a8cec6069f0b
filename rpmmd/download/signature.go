package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"rpmostree/internal/fetch"
	"rpmostree/internal/openpgp"
	"rpmostree/rpmmd"
)

// verifySignature checks the signature of a repomd.xml that came from base.
func (r *refresher) verifySignature(ctx context.Context, repomd []byte, base string) error {
	signature, _, err := r.client.Bytes(ctx, fetch.Request{URL: fetch.Join(base, repomdPath+".asc"), MaxSize: MaxSignature})
	if err != nil {
		return fmt.Errorf("repomd.xml GPG signature verification error: %w", err)
	}
	verify := r.d.opts.Verify
	if verify == nil {
		verify = r.d.verifyWithKeys
	}
	if err := verify(ctx, &r.Config, repomd, signature); err != nil {
		return fmt.Errorf("repomd.xml GPG signature verification error: %w", err)
	}
	return nil
}

// verifyWithKeys is the default of Options.Verify.
func (d *Downloader) verifyWithKeys(ctx context.Context, repo *rpmmd.RepoConfig, repomd, signature []byte) error {
	keys, err := d.Keys(ctx, *repo)
	if err != nil {
		return err
	}
	ring, err := openpgp.NewKeyring(keys...)
	if err != nil {
		return err
	}
	_, err = ring.VerifyDetached(bytes.NewReader(repomd), signature, d.opts.Now())
	return err
}

// Keys fetches the OpenPGP keys of a repository's gpgkey, each file as it is.
func (d *Downloader) Keys(ctx context.Context, repo rpmmd.RepoConfig) ([][]byte, error) {
	if len(repo.GPGKey) == 0 {
		return nil, errors.New("no gpgkey is set")
	}
	client, err := d.client(&repo)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, key := range repo.GPGKey {
		source, err := d.keySource(key)
		var b []byte
		if err == nil {
			b, _, err = client.Bytes(ctx, fetch.Request{URL: source, MaxSize: MaxKey})
		}
		if err != nil {
			return nil, fmt.Errorf("retrieving key: %w", err)
		}
		out = append(out, b)
	}
	return out, nil
}

// keySource returns where a key of a configuration is: the path of a file, or a URL.
func (d *Downloader) keySource(key string) (string, error) {
	if strings.HasPrefix(key, "/") {
		return d.file(key)
	}
	// Of another host, or none: the request tells what is wrong with it.
	u, err := url.Parse(key)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || u.Path == "" {
		return key, nil
	}
	return d.file(u.Path)
}
