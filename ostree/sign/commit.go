package sign

import (
	"context"
	"errors"
	"fmt"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// Commit returns the detached metadata of a commit with the signatures of all
// signers added to it. The data are the bytes of the commit object, which need not
// be in the repository yet. A second OpenPGP signature by one key is refused.
func Commit(ctx context.Context, r *repo.Repo, data []byte, meta gvariant.Value, signers ...Signer) (gvariant.Value, error) {
	for _, s := range signers {
		if g, ok := s.(gpgSigner); ok {
			if err := refuseSecond(r, data, meta, g); err != nil {
				return meta, err
			}
		}
		sig, err := s.Sign(ctx, data)
		if err != nil {
			return meta, err
		}
		meta = Append(meta, s.Type(), sig)
	}
	return meta, nil
}

// SignCommit adds signatures to a commit in the repository.
func SignCommit(ctx context.Context, r *repo.Repo, c ostree.Checksum, signers ...Signer) error {
	data, meta, err := readCommit(r, c)
	if err != nil {
		return err
	}
	if meta, err = Commit(ctx, r, data, meta, signers...); err != nil {
		return err
	}
	return writeDetached(ctx, r, c, meta)
}

// readCommit returns a commit's bytes and its detached metadata.
func readCommit(r *repo.Repo, c ostree.Checksum) ([]byte, gvariant.Value, error) {
	var none gvariant.Value
	data, err := r.ReadMetadata(ostree.ObjectCommit, c)
	if err != nil {
		return nil, none, fmt.Errorf("Failed to read commit: %w", err)
	}
	detached, err := r.DetachedMetadata(c)
	if err != nil {
		return nil, none, fmt.Errorf("Failed to read detached metadata: %w", err)
	}
	return data, parseDict(detached), nil
}

func writeDetached(ctx context.Context, r *repo.Repo, c ostree.Checksum, meta gvariant.Value) error {
	tx, err := r.Begin(ctx, repo.TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	if err := tx.WriteDetachedMetadata(c, meta.Bytes()); err != nil {
		return err
	}
	_, err = tx.Commit()
	return err
}

// CheckCommit reports on the OpenPGP signatures of a commit in the repository.
func CheckCommit(r *repo.Repo, c ostree.Checksum, o GPGOptions) (*GPGResult, error) {
	data, meta, err := readCommit(r, c)
	if err != nil {
		return nil, err
	}
	return CheckGPG(r, data, meta, o)
}

// VerifyCommit checks a commit in the repository with a set of keys.
func VerifyCommit(r *repo.Repo, c ostree.Checksum, keys *KeySet) (message string, err error) {
	data, meta, err := readCommit(r, c)
	if err != nil {
		return "", err
	}
	return keys.Verify(data, Signatures(meta, keys.Type()))
}

// DeleteGPG removes the OpenPGP signatures of some keys from a commit and returns
// how many there were. A key that has not signed is no error.
func DeleteGPG(ctx context.Context, r *repo.Repo, c ostree.Checksum, keys []string) (int, error) {
	data, meta, err := readCommit(r, c)
	if err != nil {
		return 0, err
	}
	res, err := CheckGPG(r, data, meta, GPGOptions{})
	if errors.Is(err, ErrNoSignatures) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	sigs := all(meta, GPG)
	if len(sigs) != len(res.Signatures) {
		return 0, errors.New("signatures of this commit cannot be told apart")
	}
	gone := map[int]bool{}
	for _, key := range keys {
		if i, ok := res.signedBy(key); ok {
			gone[i] = true
		}
	}
	var rest [][]byte
	for i, s := range sigs {
		if !gone[i] {
			rest = append(rest, s)
		}
	}
	return len(gone), writeDetached(ctx, r, c, replace(meta, GPG, rest))
}

// Summary returns a function that signs a summary, for repo.UpdateSummary: it
// returns the bytes of summary.sig. Without signers it is nil.
func Summary(ctx context.Context, signers ...Signer) func(summary []byte) ([]byte, error) {
	if len(signers) == 0 {
		return nil
	}
	return func(summary []byte) ([]byte, error) {
		var meta gvariant.Value
		for _, s := range signers {
			sig, err := s.Sign(ctx, summary)
			if err != nil {
				return nil, err
			}
			meta = Append(meta, s.Type(), sig)
		}
		return meta.Bytes(), nil
	}
}

// Delete removes the signatures that keys of a set have made from a commit and
// returns how many there were.
func Delete(ctx context.Context, r *repo.Repo, c ostree.Checksum, keys *KeySet) (int, error) {
	data, meta, err := readCommit(r, c)
	if err != nil {
		return 0, err
	}
	sigs := all(meta, keys.Type())
	var rest [][]byte
	for _, s := range sigs {
		if _, err := keys.Verify(data, [][]byte{s}); err != nil {
			rest = append(rest, s)
		}
	}
	n := len(sigs) - len(rest)
	if n == 0 {
		return 0, nil
	}
	return n, writeDetached(ctx, r, c, replace(meta, keys.Type(), rest))
}

// CheckSummary reports on the OpenPGP signatures of a summary; sig is the content
// of summary.sig.
func CheckSummary(r *repo.Repo, summary, sig []byte, o GPGOptions) (*GPGResult, error) {
	return CheckGPG(r, summary, parseDict(sig), o)
}
