package ostree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
)

func remoteCommands() *command {
	return group("remote", "COMMAND", "Remote commands that may involve internet access",
		remoteAddCommand(), remoteDeleteCommand(), remoteShowURLCommand(), remoteListCommand())
}

// remoteGroup is the name of a remote's group in the configuration.
func remoteGroup(name string) string { return `remote "` + name + `"` }

// remotes returns the names of the configured remotes, sorted.
func remotes(config *keyfile.File) []string {
	var names []string
	for _, g := range config.Groups() {
		if rest, ok := strings.CutPrefix(g, `remote "`); ok && strings.HasSuffix(rest, `"`) {
			names = append(names, strings.TrimSuffix(rest, `"`))
		}
	}
	slices.Sort(names)
	return names
}

// remoteAdder is the remote add command with its options.
type remoteAdder struct {
	*env
	set, signVerify                   []string
	noGPG, noSign, ifNotExists, force bool
	backend, contentURL, collection   string
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
	c.str(&a.backend, "custom-backend", 0, "NAME", "This remote has content not fetched via libostree")
	c.str(&a.contentURL, "contenturl", 0, "URL", "Use URL when fetching content")
	c.str(&a.collection, "collection-id", 0, "COLLECTION-ID", "Globally unique name of the remote's refs as a collection")
	c.run = func(e *env) error {
		a.env = e
		if len(e.args) < 2 {
			return usagef("NAME and URL must be specified")
		}
		if a.ifNotExists && a.force {
			return usagef("Can only specify one of --if-not-exists and --force")
		}
		return a.run(e.args[0], e.args[1], e.args[2:])
	}
	return c
}

func (a *remoteAdder) run(name, url string, branches []string) error {
	if err := ostree.ValidateRemoteName(name); err != nil {
		return err
	}
	if a.collection != "" {
		if err := ostree.ValidateCollectionID(a.collection); err != nil {
			return err
		}
	}
	config, group := a.repo.Config(), remoteGroup(name)
	if config.HasGroup(group) {
		switch {
		case a.ifNotExists:
			return nil
		case !a.force:
			return fmt.Errorf(`Remote configuration for "%s" already exists: (in config)`, name)
		}
		config.RemoveGroup(group)
	}
	key := "url"
	if rest, ok := strings.CutPrefix(url, "metalink="); ok {
		key, url = "metalink", rest
	}
	err := errors.Join(config.Set(group, key, url), a.settings(config, group, branches))
	if err != nil {
		return err
	}
	return a.repo.SetConfig(config)
}

func (a *remoteAdder) settings(config *keyfile.File, group string, branches []string) error {
	set := func(key, value string) error {
		if value == "" {
			return nil
		}
		return config.Set(group, key, value)
	}
	if err := set("contenturl", a.contentURL); err != nil {
		return err
	}
	for _, s := range a.set {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("Missing '=' in KEY=VALUE for --set")
		}
		if err := config.Set(group, key, value); err != nil {
			return err
		}
	}
	if len(branches) > 0 {
		if err := config.SetList(group, "branches", branches); err != nil {
			return err
		}
	}
	if err := set("custom-backend", a.backend); err != nil {
		return err
	}
	if a.noGPG || a.noSign {
		if err := config.SetBool(group, "gpg-verify", false); err != nil {
			return err
		}
	}
	if a.noSign {
		if err := config.SetBool(group, "sign-verify", false); err != nil {
			return err
		}
	}
	if err := a.setSignVerify(config, group); err != nil {
		return err
	}
	return set("collection-id", a.collection)
}

// setSignVerify stores the keys of --sign-verify, and the list of their types.
func (a *remoteAdder) setSignVerify(config *keyfile.File, group string) error {
	var types []string
	for _, s := range a.signVerify {
		kind, key, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("Failed to parse KEYTYPE=[inline|file]:DATA in %s", s)
		}
		where, data, ok := strings.Cut(key, ":")
		if !ok {
			return fmt.Errorf("Invalid key reference %s, expected TYPE:DATA", key)
		}
		suffix, known := map[string]string{"inline": "key", "file": "file"}[where]
		if !known {
			return fmt.Errorf("Invalid key reference %s, expected inline|file", where)
		}
		if err := config.Set(group, "verification-"+kind+"-"+suffix, data); err != nil {
			return err
		}
		types = append(types, kind)
	}
	if types == nil {
		return nil
	}
	return config.Set(group, "sign-verify", strings.Join(types, ","))
}

func remoteDeleteCommand() *command {
	c := &command{name: "delete", args: "NAME", about: "Delete a remote repository", scope: remoteScope}
	ifExists := false
	c.flag(&ifExists, "if-exists", 0, "Do nothing if the provided remote does not exist")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		name := e.args[0]
		config := e.repo.Config()
		if !config.RemoveGroup(remoteGroup(name)) {
			if ifExists {
				return nil
			}
			return fmt.Errorf(`Remote "%s" not found`, name)
		}
		if err := e.repo.SetConfig(config); err != nil {
			return err
		}
		err := os.Remove(filepath.Join(e.repo.Path(), name+".trustedkeys.gpg"))
		if errors.Is(err, os.ErrNotExist) {
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

func (e *env) remoteURL(name string) (string, error) {
	config, group := e.repo.Config(), remoteGroup(name)
	if !config.HasGroup(group) {
		return "", fmt.Errorf(`Remote "%s" not found`, name)
	}
	if link := config.Get(group, "metalink"); link != "" {
		return "metalink=" + link, nil
	}
	return config.String(group, "url")
}

func remoteListCommand() *command {
	c := &command{name: "list", about: "List remote repository names", scope: repoScope}
	urls := false
	c.flag(&urls, "show-urls", 'u', "Show remote URLs in list")
	c.run = func(e *env) error {
		names := remotes(e.repo.Config())
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
