package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rpmostree/internal/openpgp"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

func remoteCommands() *command {
	return group("remote", "COMMAND", "Remote commands that may involve internet access",
		remoteAddCommand(), remoteDeleteCommand(), remoteShowURLCommand(), remoteListCommand(), remoteGPGImportCommand(), remoteGPGListKeysCommand(),
		remoteAddCookieCommand(), remoteDeleteCookieCommand(), remoteListCookiesCommand(), remoteRefsCommand(), remoteSummaryCommand())
}

// remoteAdder is the remote add command with its options.
type remoteAdder struct {
	*env
	set, signVerify                   []string
	noGPG, noSign, ifNotExists, force bool
	backend, contentURL, collection   *string
	gpgImport                         string
}

func remoteAddCommand() *command {
	c := &command{name: "add", args: "NAME [metalink=|mirrorlist=]URL [BRANCH...]", about: "Add a remote repository", scope: remoteScope}
	var a remoteAdder
	c.list(&a.set, "set", 0, "KEY=VALUE", "Set config option KEY=VALUE for remote")
	c.flag(&a.noGPG, "no-gpg-verify", 0, "Disable GPG verification")
	c.flag(&a.noSign, "no-sign-verify", 0, "Disable signature verification")
	c.list(&a.signVerify, "sign-verify", 0, "KEYTYPE=[inline|file]:PUBKEY", "Verify signatures using KEYTYPE=inline:PUBKEY or KEYTYPE=file:/path/to/key")
	c.flag(&a.ifNotExists, "if-not-exists", 0, "Do nothing if the provided remote exists")
	c.flag(&a.force, "force", 0, "Replace the provided remote if it exists")
	c.file(&a.gpgImport, "gpg-import", 0, "FILE", "Import GPG key from FILE")
	c.optional(&a.backend, "custom-backend", 0, "NAME", "This remote has content not fetched via libostree")
	c.optional(&a.contentURL, "contenturl", 0, "URL", "Use URL when fetching content")
	c.optional(&a.collection, "collection-id", 0, "COLLECTION-ID", "Globally unique name of the remote's refs as a collection")
	c.run = func(e *env) error {
		a.env = e
		switch {
		case a.backend != nil && len(e.args) == 0:
			return usagef("NAME must be specified")
		case a.backend == nil && len(e.args) < 2:
			return usagef("NAME and URL must be specified")
		case a.ifNotExists && a.force:
			return usagef("Can only specify one of --if-not-exists and --force")
		case len(e.args) == 1:
			return a.run(e.args[0], "", nil)
		}
		return a.run(e.args[0], e.args[1], e.args[2:])
	}
	return c
}

func (a *remoteAdder) run(name, url string, branches []string) error {
	keys, err := a.keys(url, branches)
	if err != nil {
		return err
	}
	source := new(openpgp.Keyring)
	if a.gpgImport != "" { // before there is a remote without its keys
		err := addKeyFiles(source, []string{a.gpgImport})
		if err == nil {
			err = hasKeys(source)
		}
		if err != nil && !a.refused(name) {
			return err
		}
	}
	write := a.repo.AddRemote
	if a.force {
		write = a.repo.ReplaceRemote
	}
	err = write(name, keys)
	if a.ifNotExists && errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil || a.gpgImport == "" {
		return err
	}
	return a.importKeys(name, source, nil)
}

// refused tells whether a remote is not added because of its name.
func (a *remoteAdder) refused(name string) bool {
	_, err := a.remote(name)
	return ostree.ValidateRemoteName(name) != nil || err == nil && !a.force && !a.ifNotExists
}

// keys returns the remote's configuration, in the order in which the C program writes it.
func (a *remoteAdder) keys(url string, branches []string) ([][2]string, error) {
	var keys [][2]string
	set := func(key, value string) { keys = append(keys, [2]string{key, value}) }
	given := func(key string, value *string) {
		if value != nil {
			set(key, *value)
		}
	}
	if link, ok := strings.CutPrefix(url, "metalink="); ok {
		set("metalink", link)
	} else if url != "" {
		set("url", url)
	}
	if len(branches) > 0 {
		set("branches", strings.Join(branches, ";")+";")
	}
	given("contenturl", a.contentURL)
	given("custom-backend", a.backend)
	for _, s := range a.set {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, errors.New("Missing '=' in KEY=VALUE for --set")
		}
		keys = append(keys, [2]string{key, value})
	}
	if a.noGPG || a.noSign {
		set("gpg-verify", "false")
	}
	if a.noSign {
		if len(a.signVerify) > 0 {
			return nil, errors.New("Cannot specify both --sign-verify and --no-sign-verify")
		}
		set("sign-verify", "false")
	}
	signKeys, err := a.signKeys()
	keys = append(keys, signKeys...)
	given("collection-id", a.collection)
	return keys, err
}

// signKeys returns the keys of --sign-verify, and the list of their types.
func (a *remoteAdder) signKeys() ([][2]string, error) {
	var keys [][2]string
	var types []string
	for _, s := range a.signVerify {
		kind, key, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("Failed to parse KEYTYPE=[inline|file]:DATA in %s", s)
		}
		if err := sign.Known(kind); err != nil {
			return nil, err
		}
		where, data, ok := strings.Cut(key, ":")
		if !ok {
			return nil, fmt.Errorf("Invalid key reference %s, expected TYPE:DATA", key)
		}
		suffix, known := map[string]string{"inline": "key", "file": "file"}[where]
		if !known {
			return nil, fmt.Errorf("Invalid key reference %s, expected inline|file", where)
		}
		keys = append(keys, [2]string{"verification-" + kind + "-" + suffix, data})
		types = append(types, kind)
	}
	if types != nil {
		keys = append(keys, [2]string{"sign-verify", strings.Join(types, ";")})
	}
	return keys, nil
}

func remoteDeleteCommand() *command {
	c := &command{name: "delete", args: "NAME", about: "Delete a remote repository", scope: remoteScope}
	ifExists := false
	c.flag(&ifExists, "if-exists", 0, "Do nothing if the provided remote does not exist")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		err := e.repo.DeleteRemote(e.args[0])
		if ifExists && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return c
}

func remoteShowURLCommand() *command {
	c := &command{name: "show-url", args: "NAME", about: "Show remote repository URL", scope: repoScope}
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		url, err := e.remoteURL(e.args[0])
		if err == nil {
			e.printf("%s\n", url)
		}
		return err
	}
	return c
}

// remote returns the configuration of a remote for one who does not care whether all its
// values are right.
func (e *env) remote(name string) (*repo.Remote, error) {
	m, err := e.repo.Remote(name)
	if errors.Is(err, repo.ErrRemoteValue) {
		err = nil
	}
	return m, err
}

func (e *env) remoteURL(name string) (string, error) {
	m, err := e.remote(name)
	if err != nil {
		return "", err
	}
	switch {
	case m.Metalink != "":
		return "metalink=" + m.Metalink, nil
	case m.URL == "":
		return "", fmt.Errorf("No \"url\" option in remote \"%s\"", name)
	}
	return m.URL, nil
}

func remoteListCommand() *command {
	c := &command{name: "list", about: "List remote repository names", scope: repoScope}
	urls := false
	c.flag(&urls, "show-urls", 'u', "Show remote URLs in list")
	c.run = func(e *env) error {
		names, err := e.repo.Remotes()
		if err != nil {
			return err
		}
		width := 0
		for _, n := range names {
			width = max(width, len(n))
		}
		for _, n := range names {
			if !urls {
				e.printf("%s\n", n)
				continue
			}
			url, err := e.remoteURL(n)
			if err != nil {
				return err
			}
			e.printf("%-*s  %s\n", width, n, url)
		}
		return nil
	}
	return c
}
