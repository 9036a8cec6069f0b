package ostree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

func staticDeltaCommands() *command {
	return group("static-delta", "COMMAND", "Static delta related commands",
		deltaListCommand(), deltaShowCommand(), deltaDeleteCommand(), deltaGenerateCommand(), deltaApplyCommand(),
		deltaVerifyCommand(), deltaIndexesCommand(), deltaReindexCommand())
}

func deltaListCommand() *command {
	c := &command{name: "list", about: "List static delta files", scope: repoScope}
	c.run = func(e *env) error {
		list, err := delta.List(e.repo)
		if err == nil && len(list) == 0 {
			e.printf("(No static deltas)\n")
		}
		for _, n := range list {
			e.printf("%s\n", n)
		}
		return err
	}
	return c
}

func deltaIndexesCommand() *command {
	c := &command{name: "indexes", about: "List static delta indexes", scope: repoScope}
	c.run = func(e *env) error {
		list, err := delta.Indexes(e.repo)
		if err == nil && len(list) == 0 {
			e.printf("(No static deltas indexes)\n")
		}
		for _, sum := range list {
			e.printf("%s\n", sum)
		}
		return err
	}
	return c
}

func deltaReindexCommand() *command {
	c := &command{name: "reindex", about: "Regenerate static delta indexes", scope: repoScope}
	to := ""
	c.str(&to, "to", 0, "REV", "Only update delta index to revision REV")
	c.run = func(e *env) error {
		if err := e.writable(); err != nil {
			return err
		}
		var only ostree.Checksum
		if to != "" {
			var err error
			if only, err = ostree.ParseChecksum(to); err != nil {
				return err
			}
		}
		return e.repo.UpdateDeltaIndexes(e.ctx, only)
	}
	return c
}

func deltaDeleteCommand() *command {
	c := &command{name: "delete", args: "DELTA", about: "Remove a delta", scope: repoScope}
	c.run = func(e *env) error {
		n, err := e.deltaArgument()
		if err == nil {
			err = e.writable()
		}
		if err != nil {
			return err
		}
		return delta.Delete(e.ctx, e.repo, n)
	}
	return c
}

func (e *env) deltaArgument() (delta.Name, error) {
	if len(e.args) == 0 {
		return delta.Name{}, errors.New("DELTA must be specified")
	}
	return delta.ParseName(e.args[0])
}

// generateOptions are those of static-delta generate.
type generateOptions struct {
	from, to, filename, endianness         string
	empty, inline, noBSDiff, missing, swap bool
	minFallback, maxBSDiff, maxChunk       string
	keys                                   []string
	keysFile, signType                     string
}

func deltaGenerateCommand() *command {
	c := &command{name: "generate", args: "[TO]", about: "Generate static delta files", scope: repoScope}
	var o generateOptions
	c.str(&o.from, "from", 0, "REV", "Create delta from revision REV")
	c.flag(&o.empty, "empty", 0, "Create delta from scratch")
	c.flag(&o.inline, "inline", 0, "Inline delta parts into main delta")
	c.str(&o.to, "to", 0, "REV", "Create delta to revision REV")
	c.flag(&o.noBSDiff, "disable-bsdiff", 0, "Disable use of bsdiff")
	c.flag(&o.missing, "if-not-exists", 'n', "Only generate if a delta does not already exist")
	c.str(&o.endianness, "set-endianness", 0, "ENDIAN", "Choose metadata endianness ('l' or 'B')")
	c.flag(&o.swap, "swap-endianness", 0, "Swap metadata endianness from host order")
	c.str(&o.minFallback, "min-fallback-size", 0, "SIZE", "Minimum uncompressed size in megabytes for individual HTTP request")
	c.str(&o.maxBSDiff, "max-bsdiff-size", 0, "SIZE", "Maximum size in megabytes to consider bsdiff compression for input files")
	c.str(&o.maxChunk, "max-chunk-size", 0, "SIZE", "Maximum size of delta chunks in megabytes")
	c.file(&o.filename, "filename", 0, "PATH", "Write the superblock to PATH, and the parts beside it, in place of the repository")
	c.list(&o.keys, "sign", 0, "KEY_ID", "Sign the delta with")
	c.str(&o.signType, "sign-type", 0, "NAME", "Signature type to use (defaults to 'ed25519')")
	c.str(&o.keysFile, "keys-file", 0, "NAME", "Read key(s) from file")
	c.run = func(e *env) error { return e.generateDelta(&o) }
	return c
}

func (e *env) generateDelta(o *generateOptions) error {
	if err := e.writable(); err != nil {
		return err
	}
	name, err := e.deltaName(o)
	if err != nil {
		return err
	}
	if o.missing {
		if ok, err := delta.Exists(e.repo, name); err != nil || ok {
			if ok {
				e.printf("Delta %s already exists.\n", name)
			}
			return err
		}
	}
	opts, err := o.options(e)
	if err != nil {
		return err
	}
	from := "empty"
	if !name.From.IsZero() {
		from = name.From.String()
	}
	e.printf("Generating static delta:\n  From: %s\n  To:   %s\n", from, name.To)
	if err := e.flush(); err != nil { // it may take long
		return err
	}
	report, err := delta.Generate(e.ctx, e.repo, name, opts)
	if err == nil {
		e.reportDelta(report)
	}
	return err
}

// reportDelta prints what was made, for people.
func (e *env) reportDelta(r *delta.Report) {
	say := func(format string, args ...any) { fmt.Fprintf(e.err, format+"\n", args...) }
	say("modified: %d", r.Similar)
	say("new reachable: metadata=%d content regular=%d symlink=%d", r.Metadata, r.Files, r.Symlinks)
	say("rollsum for %d/%d modified", r.Copied, r.Similar)
	for _, f := range r.Fallbacks {
		say("fallback for %s (%s)", f.Checksum, repo.FormatSize(f.USize))
	}
	var size, usize uint64
	for i, p := range r.Parts {
		say("part %d n:%d compressed:%d uncompressed:%d", i+1, len(p.Objects), p.Size, p.USize)
		size += p.Size
		usize += p.USize
	}
	say("uncompressed=%d compressed=%d loose=%d", usize, size, r.LooseSize)
	say("rollsum=%d objects, %d bytes", r.Copied, r.CopiedBytes)
	say("bsdiff=%d objects", r.Patched)
}

// deltaName resolves what the delta is to lead from and to.
func (e *env) deltaName(o *generateOptions) (n delta.Name, err error) {
	if o.to == "" {
		if len(e.args) == 0 {
			return n, errors.New("TO revision must be specified")
		}
		o.to = e.args[0]
	}
	if n.To, err = e.repo.ResolveRev(o.to); err != nil {
		return n, err
	}
	switch {
	case o.empty && o.from != "":
		return n, errors.New("Cannot specify both --empty and --from=REV")
	case o.empty:
		return n, nil
	case o.from == "":
		o.from = o.to + "^"
	}
	n.From, err = e.repo.ResolveRev(o.from)
	return n, err
}

func (o *generateOptions) options(e *env) (delta.Options, error) {
	opts := delta.Options{Inline: o.inline, NoBSDiff: o.noBSDiff, Filename: o.filename, Order: binary.LittleEndian}
	switch o.endianness {
	case "", "l", "B":
	default:
		return opts, fmt.Errorf("Invalid endianness '%s'", o.endianness)
	}
	if (o.endianness == "B") != o.swap {
		opts.Order = binary.BigEndian
	}
	for _, size := range []struct {
		text string
		into *int64
	}{{o.minFallback, &opts.MinFallbackSize}, {o.maxBSDiff, &opts.MaxBSDiffSize}, {o.maxChunk, &opts.MaxChunkSize}} {
		if size.text == "" {
			continue
		}
		mb, err := strconv.ParseUint(size.text, 10, 31)
		if err != nil {
			return opts, fmt.Errorf("Invalid size '%s': it is a number of megabytes", size.text)
		}
		*size.into = int64(mb) * 1_000_000
	}
	opts.NoFallbacks = o.minFallback != "" && opts.MinFallbackSize == 0
	opts.NoBSDiff = opts.NoBSDiff || o.maxBSDiff != "" && opts.MaxBSDiffSize == 0
	signers, err := (&signOptions{keys: o.keys, typ: o.signType}).signers()
	if err != nil {
		return opts, err
	}
	if o.keysFile != "" {
		list, err := sign.ReadSigners(signType(o.signType), o.keysFile)
		if err != nil {
			return opts, err
		}
		signers = append(signers, list...)
	}
	if len(signers) > 0 {
		opts.Sign = func(superblock []byte) (gvariant.Value, error) { return signDelta(e, superblock, signers) }
	}
	return opts, nil
}

func signDelta(e *env, superblock []byte, signers []sign.Signer) (gvariant.Value, error) {
	var meta gvariant.Value
	for _, s := range signers {
		sig, err := s.Sign(e.ctx, superblock)
		if err != nil {
			return meta, err
		}
		meta = sign.Append(meta, s.Type(), sig)
	}
	return meta, nil
}

func deltaApplyCommand() *command {
	c := &command{name: "apply-offline", args: "PATH [KEY-ID...]", about: "Apply static delta file", scope: repoScope}
	var o verifyOptions
	c.verifyingDelta(&o)
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return errors.New("PATH must be specified")
		}
		if err := e.writable(); err != nil {
			return err
		}
		f, err := delta.OpenFile(e.args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		if err := e.checkDelta(f, &o); err != nil {
			return err
		}
		return f.Apply(e.ctx, e.repo)
	}
	return c
}

// verifyingDelta adds the options of commands that verify deltas.
func (c *command) verifyingDelta(o *verifyOptions) {
	c.str(&o.typ, "sign-type", 0, "NAME", "Signature type to use (defaults to 'ed25519')")
	c.str(&o.file, "keys-file", 0, "NAME", "Read key(s) from file")
	c.str(&o.dir, "keys-dir", 0, "NAME", "Redefine system-wide directories with public and revoked keys for verification")
}

// deltaKeys returns the public keys of the arguments and of the file or, if there are no
// arguments, of the system.
func (o *verifyOptions) deltaKeys(args []string) (*sign.KeySet, error) {
	set, err := sign.NewKeySet(signType(o.typ))
	if err != nil {
		return nil, err
	}
	for _, key := range args {
		if err := set.Add(key); err != nil {
			return nil, err
		}
	}
	switch {
	case o.file != "":
		err = set.AddFile(o.file)
	case len(args) == 0:
		err = set.AddSystem(o.dir)
	}
	return set, err
}

// checkDelta verifies the signature of a delta that is to be applied, if it has one and
// there are keys, or the repository demands it.
func (e *env) checkDelta(f *delta.File, o *verifyOptions) error {
	if sign.Known(signType(o.typ)) != nil {
		return fmt.Errorf("Signing type %s is not supported", o.typ)
	}
	keys, err := o.deltaKeys(e.args[1:])
	if err != nil {
		if len(e.args) > 1 || o.file != "" || o.dir != "" {
			return err
		}
		keys = nil // the system has none
	}
	demanded, err := e.repo.Config().Bool("core", "sign-verify-deltas", false)
	switch {
	case err != nil:
		return err
	case f.Signed == nil && demanded:
		return errors.New("Delta is unsigned, and core.sign-verify-deltas demands a signature")
	case f.Signed == nil, keys == nil && !demanded:
		return nil
	case keys == nil:
		return errors.New("Key is mandatory to check delta signature")
	}
	return verifyDelta(f, keys)
}

func verifyDelta(f *delta.File, keys *sign.KeySet) error {
	if f.Signed == nil {
		return errors.New("no signatures in static-delta")
	}
	sigs := sign.Signatures(f.Signed.Signatures, keys.Type())
	if sigs == nil {
		return fmt.Errorf("no signature for '%s' in static-delta superblock", sign.MetadataKey(keys.Type()))
	}
	_, err := keys.Verify(f.Signed.Superblock, sigs)
	return err
}

func deltaVerifyCommand() *command {
	c := &command{name: "verify", args: "STATIC-DELTA-FILE [KEY-ID...]", about: "Verify static delta signatures", scope: repoScope}
	var o verifyOptions
	c.verifyingDelta(&o)
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return errors.New("DELTA must be specified")
		}
		if err := sign.Known(signType(o.typ)); err != nil {
			e.printf("Sign-type not supported\n")
			return err
		}
		keys, err := o.deltaKeys(e.args[1:])
		if err != nil {
			return err
		}
		f, err := e.openDelta(e.args[0])
		if err == nil {
			err = errors.Join(verifyDelta(f, keys), f.Close())
		}
		if err != nil {
			e.printf("Verification fails\n")
			return err
		}
		e.printf("Verification OK\n")
		return nil
	}
	return c
}

// openDelta opens a delta by path, or by name in the repository.
func (e *env) openDelta(arg string) (*delta.File, error) {
	if strings.Contains(arg, "/") {
		return delta.OpenFile(arg)
	}
	n, err := delta.ParseName(arg)
	if err != nil {
		return nil, err
	}
	return delta.Open(e.repo, n)
}

func deltaShowCommand() *command {
	c := &command{name: "show", args: "DELTA", about: "Dump information on a delta", scope: repoScope}
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return errors.New("DELTA must be specified")
		}
		f, err := e.openDelta(e.args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		return e.showDelta(e.args[0], f)
	}
	return c
}

func (e *env) showDelta(id string, f *delta.File) error {
	s := f.Superblock
	signed, from, order := "no", "From <scratch>", "little"
	if f.Signed != nil {
		signed = "yes"
	}
	if !s.From.IsZero() {
		from = "From: " + s.From.String()
	}
	if s.Order == binary.BigEndian {
		order = "big"
	}
	switch {
	case s.OrderGuessed && order == "little":
		order = "invalid" // this is what libostree calls a guess that is its own order
	case s.OrderGuessed:
		order += " (heuristic)"
	}
	e.printf("Delta: %s\nSigned: %s\n%s\nTo: %s\nEndianness: %s\n", id, signed, from, s.To, order)
	e.printf("Timestamp: %d\nNumber of parents: 0\nNumber of fallback entries: %d\n", s.Timestamp, len(s.Fallbacks))
	var size, usize, fallbackSize, fallbackUSize uint64
	for _, x := range s.Fallbacks {
		e.printf("  %s\n", x.Checksum)
		fallbackSize += x.Size
		fallbackUSize += x.USize
	}
	e.total("Fallback Size", fallbackSize)
	e.total("Fallback Uncompressed Size", fallbackUSize)
	e.printf("Number of parts: %d\n", len(s.Parts))
	for i := range s.Parts {
		p := &s.Parts[i]
		size += p.Size
		usize += p.USize
		if err := e.showPart(f, i); err != nil {
			return err
		}
	}
	e.total("Part Size", size)
	e.total("Part Uncompressed Size", usize)
	e.total("Size", size+fallbackSize)
	e.total("Uncompressed Size", usize+fallbackUSize)
	return nil
}

func (e *env) total(what string, n uint64) {
	e.printf("Total %s: %d (%s)\n", what, n, repo.FormatSize(n))
}

func (e *env) showPart(f *delta.File, i int) error {
	p := &f.Superblock.Parts[i]
	e.printf("PartMeta%d: nobjects=%d size=%d usize=%d\n", i, len(p.Objects), p.Size, p.USize)
	var d delta.PartInfo
	err := f.Part(i, func(file *io.SectionReader) (err error) {
		d, err = delta.Describe(p, file)
		return err
	})
	if err != nil {
		return err
	}
	e.printf("PartPayload%d: nmodes=%d nxattrs=%d blobsize=%d opsize=%d\n", i, d.Modes, d.Xattrs, d.BlobSize, d.ProgramSize)
	c := d.Counts
	e.printf("PartPayloadOps%d: openspliceclose=%d open=%d write=%d setread=%d unsetread=%d close=%d bspatch=%d\n",
		i, c.SpliceClose, c.Open, c.Write, c.SetSource, c.UnsetSource, c.Close, c.BSPatch)
	return nil
}
