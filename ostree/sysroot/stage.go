package sysroot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/journal"
	"rpmostree/ostree/bootloader"
)

// finalizeService runs FinalizeStaged when the machine shuts down.
const finalizeService = "ostree-finalize-staged.service"

// failureStamp, below boot, keeps the error of a finalization for the next boot.
const failureStamp = "ostree/finalize-failure.stamp"

// stage makes a staged deployment in place of the one there may be.
func (s *Sysroot) stage(ctx context.Context, st *State, o DeployOptions) (Deployment, *State, error) {
	d, next, err := s.stageDeployment(ctx, st, o)
	if err != nil {
		return Deployment{}, nil, fmt.Errorf("Staging deployment: %w", err)
	}
	return d, next, nil
}

func (s *Sysroot) stageDeployment(ctx context.Context, st *State, o DeployOptions) (Deployment, *State, error) {
	if _, ok := st.Booted(); !ok {
		return Deployment{}, nil, fmt.Errorf("Cannot stage deployment: %w", errNotBooted)
	}
	if err := s.ClearSoftReboot(st); err != nil {
		return Deployment{}, nil, err
	}
	if err := s.startFinalizeService(ctx); err != nil {
		return Deployment{}, nil, err
	}
	d, err := s.initialize(ctx, st, o)
	if err != nil {
		return Deployment{}, nil, fmt.Errorf("Initializing deployment: %w", err)
	}
	if err := s.writeFirstOrigin(d); err != nil {
		return Deployment{}, nil, fmt.Errorf("Writing out origin file: %w", err)
	}
	if o.LockFinalization {
		if err := writeRunFile(s.stagedLockPath(), nil, 0o640); err != nil {
			return Deployment{}, nil, err
		}
	}
	o.Merge = s.withoutAppended(st, o.Merge)
	if err := writeRunFile(s.stagedPath(), stagedValue(d, o).Bytes(), 0o644); err != nil {
		return Deployment{}, nil, err
	}
	if err := failpoint.At("sysroot.stage.written"); err != nil {
		return Deployment{}, nil, err
	}
	if old, ok := st.Staged(); ok {
		if err := s.removeDeployment(old); err != nil {
			return Deployment{}, nil, err
		}
		if !o.LockFinalization {
			if err := removeFile(s.stagedLockPath()); err != nil {
				return Deployment{}, nil, err
			}
		}
	}
	if err := s.touch(); err != nil {
		return Deployment{}, nil, err
	}
	next, err := s.Load()
	if err != nil {
		return Deployment{}, nil, err
	}
	staged, _ := next.Staged()
	return staged, next, s.PrepareCleanup(ctx, next) // which makes the ref of the commit
}

// writeFirstOrigin writes the origin file with the label by the policy that the
// tree comes with: /etc is not merged yet.
func (s *Sysroot) writeFirstOrigin(d Deployment) error {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer root.Close()
	policy, err := policyOf(root)
	if err != nil {
		return err
	}
	return s.writeOrigin(d, d.Origin, policy, false)
}

// startFinalizeService makes sure that FinalizeStaged will be called.
func (s *Sysroot) startFinalizeService(ctx context.Context) error {
	if s.host.systemctl == "" {
		return nil
	}
	out, err := exec.CommandContext(ctx, s.host.systemctl, "start", "--quiet", finalizeService).CombinedOutput()
	if err != nil {
		return fmt.Errorf("Failed to start %s: %w: %s", finalizeService, err, out)
	}
	return nil
}

// stagedValue is the content of the state file; see staged.
func stagedValue(d Deployment, o DeployOptions) gvariant.Value {
	var v gvariant.Dict
	v.Set("target", serializeDeployment(d))
	if o.LockFinalization {
		v.Set("locked", gvariant.Bool(true))
	}
	if o.Merge != nil {
		v.Set("merge-deployment", serializeDeployment(*o.Merge))
	}
	if o.Kargs != nil {
		v.Set("kargs", gvariant.Strings(o.Kargs.Strings()))
	}
	if len(o.Overlays) > 0 {
		v.Set("overlay-initrds", gvariant.Strings(o.Overlays))
	}
	if o.Merge != nil && o.Merge.Entry != nil {
		if extra := extraFields(o.Merge.Entry); extra.Len() > 0 {
			v.Set("bootconfig-extra", extra)
		}
	}
	return v.Value().WithByteOrder(hostOrder())
}

// withoutAppended returns a merge deployment without the keys that its boot entry has because it is
// not the default: what is staged will be.
func (s *Sysroot) withoutAppended(st *State, merge *Deployment) *Deployment {
	if merge == nil || merge.Entry == nil || merge.Staged || merge.Same(withoutStaged(st.Deployments)[0]) {
		return merge
	}
	m := *merge
	m.Entry = m.Entry.Clone()
	unsetAppended(m.Entry, s.repo.BootConfig())
	return &m
}

// extraFields returns, as a{ss}, the keys of a boot entry that others put
// there. They stay with the system when it is updated.
func extraFields(e *bootloader.Entry) gvariant.Value {
	var list []gvariant.Value
	for _, f := range e.Fields() {
		if !bootloader.IsStandardKey(f.Key) && !slices.Contains([]string{"aboot", "abootcfg", "fdtdir"}, f.Key) {
			list = append(list, gvariant.DictEntry(gvariant.String(f.Key), gvariant.String(f.Value)))
		}
	}
	return gvariant.Array("{ss}", list...)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dropStaged removes the staged deployment.
func (s *Sysroot) dropStaged(d Deployment) error {
	if err := removeFile(s.stagedPath()); err != nil {
		return err
	}
	if err := failpoint.At("sysroot.stage.dropped"); err != nil {
		return err
	}
	if err := s.removeDeployment(d); err != nil {
		return err
	}
	return removeFile(s.stagedLockPath())
}

// FinalizeStaged gives the staged deployment its /etc and its boot entry, for
// use when the running system shuts down. Without a staged deployment, or with
// a locked one, nothing happens. A failure is kept in /boot; see BootComplete.
// The lock must be held.
func (s *Sysroot) FinalizeStaged(ctx context.Context) error {
	err := s.finalizeStaged(ctx)
	if s.boot == nil {
		return err
	}
	dir, openErr := s.boot.CreatePath("ostree", 0o775)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	defer dir.Close()
	const stamp = "finalize-failure.stamp"
	if err != nil {
		return errors.Join(err, dir.WriteFileAtomic(stamp, []byte(err.Error()), 0o644, true))
	}
	return dir.RemoveAll(stamp)
}

func (s *Sysroot) finalizeStaged(ctx context.Context) error {
	st, err := s.Load()
	if err != nil {
		return err
	}
	staged, ok, err := s.readStaged()
	if err != nil || !ok {
		return err
	}
	d := staged.deployment
	if d.FinalizationLocked || lexists(s.stagedLockPath()) {
		s.record(journal.Entry{Message: "Not finalizing; deployment is locked for finalization"})
		return nil
	}
	s.journal(journal.Entry{
		ID: finalizingID, Message: "Finalizing staged deployment",
		Fields: []journal.Field{field("OSTREE_OSNAME", d.OSName), field("OSTREE_CHECKSUM", d.Checksum), field("OSTREE_DEPLOYSERIAL", d.Serial)},
	})
	var merge *Deployment
	if staged.merge != nil {
		m, ok := st.find(staged.merge.Same)
		if !ok {
			return fmt.Errorf("Failed to find merge deployment %s for staged", staged.merge.Name())
		}
		merge = &m
	}
	// If we are interrupted, a half merged /etc must not be taken for a whole one.
	if err := removeFile(s.stagedPath()); err != nil {
		return err
	}
	if err := failpoint.At("sysroot.finalize.begun"); err != nil {
		return err
	}
	if d, err = s.finalize(ctx, st, d, merge); err != nil {
		return fmt.Errorf("Finalizing deployment: %w", err)
	}
	d.Staged, d.FinalizationLocked = false, false
	rest := *st
	rest.Deployments = renumberOnly(withoutStaged(st.Deployments))
	next, err := s.Write(ctx, &rest, rest.With(d, merge, Retain{}), WriteOptions{NoClean: true})
	if err != nil {
		return err
	}
	return s.PrepareCleanup(ctx, next)
}

// BootComplete returns the error of the last FinalizeStaged, for use after the
// machine has booted, and forgets it. If there is none, it ends a soft reboot.
func (s *Sysroot) BootComplete() error {
	if err := s.lastFailure(); err != nil {
		return err
	}
	if err := os.Rename(s.nextRootPath(), filepath.Join(s.host.run, "ostree-booted")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Sysroot) lastFailure() error {
	if s.boot == nil {
		return nil
	}
	dir, err := openOptional(s.boot, "ostree")
	if dir == nil || err != nil {
		return err
	}
	defer dir.Close()
	const stamp = "finalize-failure.stamp"
	text, err := dir.ReadFile(stamp, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("Reading from /boot/%s: %w", failureStamp, err)
	}
	_ = dir.Unlink(stamp) // not an error again and again
	return fmt.Errorf("ostree-finalize-staged.service failed on previous boot: %s", text)
}

// SetFinalizationLock locks or unlocks the staged deployment d: a locked one does
// not get its boot entry when the machine shuts down. The lock must be held.
func (s *Sysroot) SetFinalizationLock(d Deployment, locked bool) error {
	if err := s.editStaged("locked", gvariant.Bool(locked)); err != nil {
		return err
	}
	if !locked {
		return removeFile(s.stagedLockPath())
	}
	return writeRunFile(s.stagedLockPath(), nil, 0o640)
}

func (s *Sysroot) editStaged(key string, value gvariant.Value) error {
	staged, ok, err := s.readStaged()
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("no staged deployment")
	}
	v := gvariant.NewDict(staged.raw)
	v.Set(key, value)
	return writeRunFile(s.stagedPath(), v.Value().WithByteOrder(hostOrder()).Bytes(), 0o644)
}

// maxInitrd bounds the size of an additional initramfs image.
const maxInitrd = 4 << 30

// StageInitrd parks an additional initramfs image for DeployOptions.Overlays in
// /run, and returns its checksum. Only root can read it: it may hold secrets.
func (s *Sysroot) StageInitrd(image io.Reader) (string, error) {
	if err := os.MkdirAll(s.stagedInitrds(), 0o755); err != nil {
		return "", err
	}
	dir, err := dirfd.Open(s.stagedInitrds())
	if err != nil {
		return "", err
	}
	defer dir.Close()
	tmp, err := dir.TmpFile(0o600)
	if err != nil {
		return "", err
	}
	defer tmp.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, h), io.LimitReader(image, maxInitrd+1))
	if err != nil {
		return "", err
	}
	if n > maxInitrd {
		return "", fmt.Errorf("initramfs image is larger than %d bytes", int64(maxInitrd))
	}
	csum := hex.EncodeToString(h.Sum(nil))
	return csum, tmp.Replace(dir, csum)
}
