package repo

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
)

// remotesDir holds one file for each remote of the system's repository.
const remotesDir = "/etc/ostree/remotes.d"

// A Remote is the configuration of a place to pull from.
type Remote struct {
	Name             string
	URL              string // http, https, file; or "metalink=URL", "mirrorlist=URL"
	ContentURL       string // of objects and deltas, if it is another
	Metalink         string // from its own key or from URL
	Branches         []string
	GPGVerify        bool // default true
	GPGVerifySummary bool
	SignVerify       []string // types of signatures; "true" for any
	SignSummary      []string // as SignVerify, for the summary
	CollectionID     string
	Unconfigured     string // why the remote cannot be used, or ""
	Proxy            string
	NoTLSVerify      bool
	HTTP1            bool   // do not speak HTTP/2
	TLSCert, TLSKey  string // paths
	TLSCA            string // path
	CustomBackend    string
	Path             string // of the file with the configuration; "" if it is the repository's own

	file  *keyfile.File
	group string
}

// Get returns the value of any key of the remote, or "".
func (m *Remote) Get(key string) string { return m.file.Get(m.group, key) }

// Lookup returns the value of any key of the remote and whether it is set. That it cannot
// be read is an error.
func (m *Remote) Lookup(key string) (value string, ok bool, err error) {
	value, err = m.file.String(m.group, key)
	if errors.Is(err, keyfile.ErrNotFound) {
		return "", false, nil
	}
	return value, err == nil, err
}

// Keys are the keys that are set.
func (m *Remote) Keys() []string { return m.file.Keys(m.group) }

func remoteGroup(name string) string { return `remote "` + name + `"` }

func groupRemote(group string) (string, bool) {
	name, ok1 := strings.CutPrefix(group, `remote "`)
	name, ok2 := strings.CutSuffix(name, `"`)
	return name, ok1 && ok2 && name != ""
}

// IsSystem reports whether this is the repository of the running system, which
// has remotes in /etc too.
func (r *Repo) IsSystem() bool {
	path, err := filepath.Abs(r.path)
	if err != nil {
		return false
	}
	return path == "/ostree/repo" || path == "/sysroot/ostree/repo"
}

func (r *Repo) remotesDir() string {
	if dir := r.state.Load().remotesDir; dir != "" {
		return dir
	}
	if r.settings().remotesInEtc {
		return remotesDir
	}
	return ""
}

// remoteFile is where a remote is configured.
type remoteFile struct {
	*keyfile.File
	path string // "" for the repository's own configuration
}

// remoteFiles returns the parsed file of every remote.
func (r *Repo) remoteFiles() (map[string]remoteFile, error) {
	files := map[string]remoteFile{}
	add := func(f remoteFile) error {
		for _, g := range f.Groups() {
			name, ok := groupRemote(g)
			if !ok {
				continue
			}
			if _, known := files[name]; known {
				return fmt.Errorf("opening repo: Reloading remotes: Multiple specifications found for remote \"%s\"", name)
			}
			files[name] = f
		}
		return nil
	}
	if err := add(remoteFile{File: r.state.Load().config}); err != nil {
		return nil, err
	}
	dir := r.remotesDir()
	if dir == "" {
		return files, nil
	}
	d, err := dirfd.Open(dir)
	if isMissing(err) {
		return files, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, ".conf") {
			continue
		}
		path := filepath.Join(dir, e.Name)
		data, err := os.ReadFile(path) // may be a link
		if err != nil {
			return nil, err
		}
		k, err := keyfile.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("opening repo: Reloading remotes: Failed to parse %s: %w", path, err)
		}
		if err := add(remoteFile{k, path}); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Remotes returns the names of the remotes, those of parents too, sorted.
func (r *Repo) Remotes() ([]string, error) {
	files, err := r.remoteFiles()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	if r.parent != nil {
		inherited, err := r.parent.Remotes()
		if err != nil {
			return nil, err
		}
		names = append(names, inherited...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// ErrRemoteValue is wrapped by the errors about values of a remote that is there.
var ErrRemoteValue = errors.New("a value of the remote is wrong")

// A remoteValueError has the text of the error that it is made of.
type remoteValueError struct{ error }

func (e remoteValueError) Is(target error) bool { return target == ErrRemoteValue }

// Remote returns the configuration of one remote; keys that it does not have are those of a
// remote of that name in a parent repository. The error wraps fs.ErrNotExist when there is
// none of that name, and ErrRemoteValue when a value is wrong: then the remote is there
// nevertheless for those who want to know something else of it.
func (r *Repo) Remote(name string) (*Remote, error) {
	files, err := r.remoteFiles()
	if err != nil {
		return nil, err
	}
	f, ok := files[name]
	var inherited *Remote
	if r.parent != nil {
		inherited, err = r.parent.Remote(name)
	}
	var missing notFoundError
	switch {
	case !ok && r.parent != nil:
		return inherited, err
	case err != nil && !errors.As(err, &missing) && !errors.Is(err, ErrRemoteValue):
		return nil, err // what it demands of signatures is not known
	case !ok:
		return nil, errNoRemote(name)
	case inherited != nil:
		f.File = inherit(f.File, inherited)
	}
	m, err := NewRemote(name, f.File)
	m.Path = f.path
	return m, err
}

// inherit returns the file of a remote with the keys added that only another one has.
func inherit(k *keyfile.File, from *Remote) *keyfile.File {
	k = k.Clone()
	for _, key := range from.Keys() {
		if raw, err := from.file.Raw(from.group, key); err == nil && !k.Has(from.group, key) {
			_ = k.SetRaw(from.group, key, raw) // as it is in the other file
		}
	}
	return k
}

func errNoRemote(name string) error {
	return notFoundError(fmt.Sprintf("Remote \"%s\" not found", name))
}

// NewRemote reads a remote from a key file, which need not be that of a
// repository. If a value is wrong, the remote is returned with the error, which wraps
// ErrRemoteValue, and demands more signatures rather than less.
func NewRemote(name string, k *keyfile.File) (*Remote, error) {
	g := remoteGroup(name)
	m := &Remote{
		Name: name, file: k, group: g,
		URL: k.Get(g, "url"), ContentURL: k.Get(g, "contenturl"), Metalink: k.Get(g, "metalink"),
		Branches: k.List(g, "branches"), CollectionID: k.Get(g, "collection-id"),
		Unconfigured: k.Get(g, "unconfigured-state"), Proxy: k.Get(g, "proxy"),
		TLSCert: k.Get(g, "tls-client-cert-path"), TLSKey: k.Get(g, "tls-client-key-path"),
		TLSCA: k.Get(g, "tls-ca-path"), CustomBackend: k.Get(g, "custom-backend"),
	}
	if link, ok := strings.CutPrefix(m.URL, "metalink="); ok {
		m.URL, m.Metalink = "", link
	}
	var errs []error
	flag := func(key string, def, wrong bool) bool {
		on, err := k.Bool(g, key, def)
		if err != nil {
			errs = append(errs, err)
			return wrong
		}
		return on
	}
	types := func(key string) []string {
		list, err := signTypes(k, g, key)
		errs = append(errs, err)
		return list
	}
	m.GPGVerify = flag("gpg-verify", true, true)
	m.GPGVerifySummary = flag("gpg-verify-summary", false, true)
	m.NoTLSVerify = flag("tls-permissive", false, false)
	m.HTTP1 = !flag("http2", true, true)
	m.SignVerify, m.SignSummary = types("sign-verify"), types("sign-verify-summary")
	if (m.TLSCert == "") != (m.TLSKey == "") {
		errs = append(errs, fmt.Errorf("Remote \"%s\" must specify both \"tls-client-cert-path\" and \"tls-client-key-path\"", name))
	}
	for _, err := range errs {
		if err != nil {
			return m, remoteValueError{err}
		}
	}
	return m, nil
}

// signTypes reads a key that is a boolean or a list of signature types. That there is none in
// the list is an error, as is what cannot be read: they must not switch signatures off.
func signTypes(k *keyfile.File, group, key string) ([]string, error) {
	text, err := k.String(group, key)
	switch {
	case errors.Is(err, keyfile.ErrNotFound), err == nil && text == "":
		return nil, nil
	}
	if on, err := k.Bool(group, key, false); err == nil && on {
		return []string{"true"}, nil
	} else if err == nil {
		return nil, nil
	}
	list := k.List(group, key)
	if err != nil || len(list) == 0 {
		list = []string{text} // which nobody knows
	}
	return list, err
}

// AddRemote adds a remote with the given keys, to the configuration or, for the
// system's repository, as a file in /etc. The error wraps fs.ErrExist if the repository
// itself has one of that name.
func (r *Repo) AddRemote(name string, keys [][2]string) error {
	if err := ostree.ValidateRemoteName(name); err != nil {
		return err
	}
	files, err := r.remoteFiles()
	if err != nil {
		return err
	}
	if f, known := files[name]; known {
		return existsError(fmt.Sprintf("Remote configuration for \"%s\" already exists: %s", name, cmp.Or(f.path, "(in config)")))
	}
	dir := r.remotesDir()
	if dir == "" {
		return r.writeRemote(remoteFile{File: r.Config()}, name, keys)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return r.writeRemote(remoteFile{&keyfile.File{}, filepath.Join(dir, name+".conf")}, name, keys)
}

// existsError is an fs.ErrExist with a text of its own.
type existsError string

func (e existsError) Error() string { return string(e) }
func (e existsError) Unwrap() error { return fs.ErrExist }

// ReplaceRemote gives a remote other keys where it is configured, or adds it. Its refs and
// its keyring stay.
func (r *Repo) ReplaceRemote(name string, keys [][2]string) error {
	files, err := r.remoteFiles()
	if err != nil {
		return err
	}
	f, ok := files[name]
	if !ok {
		return r.AddRemote(name, keys)
	}
	if f.path == "" {
		f.File = r.Config()
	} else if f.path, err = filepath.EvalSymlinks(f.path); err != nil {
		return err
	}
	f.RemoveGroup(remoteGroup(name))
	return r.writeRemote(f, name, keys)
}

// writeRemote sets the keys of a remote and writes its file.
func (r *Repo) writeRemote(f remoteFile, name string, keys [][2]string) error {
	for _, kv := range keys {
		if err := f.SetRaw(remoteGroup(name), kv[0], kv[1]); err != nil {
			return err
		}
	}
	if _, err := NewRemote(name, f.File); err != nil {
		return err
	}
	if f.path == "" {
		return r.SetConfig(f.File)
	}
	mode := fs.FileMode(0o644)
	if fi, err := os.Stat(f.path); err == nil {
		mode = fi.Mode().Perm() // it may have a password
	}
	d, err := dirfd.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.WriteFileAtomic(filepath.Base(f.path), f.Bytes(), uint32(mode), r.settings().fsync)
}

// DeleteRemote removes a remote. Its refs stay.
func (r *Repo) DeleteRemote(name string) error {
	if err := ostree.ValidateRemoteName(name); err != nil {
		return err
	}
	files, err := r.remoteFiles()
	if err != nil {
		return err
	}
	f, ok := files[name]
	switch {
	case !ok:
		return errNoRemote(name)
	case f.path != "":
		err = os.Remove(f.path)
	default:
		k := r.Config()
		k.RemoveGroup(remoteGroup(name))
		err = r.SetConfig(k)
	}
	if err != nil {
		return err
	}
	err = r.dir.Unlink(name + ".trustedkeys.gpg")
	if isMissing(err) {
		return nil
	}
	return err
}

// SetRemotesDir makes the repository read and write remotes in another folder
// than /etc/ostree/remotes.d, such as that of a system that is not booted. It
// is to be called before the repository is shared by goroutines.
func (r *Repo) SetRemotesDir(dir string) {
	s := *r.state.Load()
	s.remotesDir = dir
	r.state.Store(&s)
}

// RemoteFile returns the content of a file that belongs to a remote, such as its
// keyring: in the repository, in the folder of remotes, or in the same places of a
// parent repository. The error wraps fs.ErrNotExist when there is none.
func (r *Repo) RemoteFile(name string, limit int64) ([]byte, error) {
	data, err := r.dir.ReadFile(name, limit)
	if err == nil || !isMissing(err) {
		return data, err
	}
	if dir := r.remotesDir(); dir != "" {
		d, err := dirfd.Open(dir)
		if err == nil {
			data, err = d.ReadFile(name, limit)
			d.Close()
		}
		if err == nil || !isMissing(err) {
			return data, err
		}
	}
	if r.parent != nil {
		return r.parent.RemoteFile(name, limit)
	}
	return nil, err
}
