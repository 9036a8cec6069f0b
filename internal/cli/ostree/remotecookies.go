package ostree

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"rpmostree/internal/fetch"
	"rpmostree/ostree"
	"rpmostree/ostree/pull"
)

// cookieLifetime is how long a cookie lasts that is added by hand.
const cookieLifetime = 25 // years

// maxCookieFile bounds a file of cookies, in bytes.
const maxCookieFile = 1 << 20

func remoteAddCookieCommand() *command {
	c := &command{name: "add-cookie", args: "NAME DOMAIN PATH COOKIE_NAME VALUE", about: "Add a cookie to remote", scope: repoScope}
	c.run = func(e *env) error {
		if len(e.args) < 5 {
			return usagef("NAME, DOMAIN, PATH, COOKIE_NAME and VALUE must be specified")
		}
		x := fetch.Cookie{
			Domain: e.args[1], Subdomains: strings.HasPrefix(e.args[1], "."), Path: e.args[2],
			Expires: time.Now().UTC().AddDate(cookieLifetime, 0, 0).Unix(), Name: e.args[3], Value: e.args[4],
		}
		if _, ok := fetch.ParseCookie(x.String()); !ok {
			return errors.New("Invalid cookie: no part of it may be empty or have white space")
		}
		lines, err := e.cookieLines(e.args[0])
		if err != nil {
			return err
		}
		return e.writeCookies(e.args[0], append(lines, x.String()))
	}
	return c
}

func remoteDeleteCookieCommand() *command {
	c := &command{name: "delete-cookie", args: "NAME DOMAIN PATH COOKIE_NAME", about: "Remove one cookie from remote", scope: repoScope}
	c.run = func(e *env) error {
		if len(e.args) < 4 {
			return usagef("NAME, DOMAIN, PATH and COOKIE_NAME must be specified")
		}
		lines, err := e.cookieLines(e.args[0])
		if err != nil {
			return err
		}
		var keep []string
		for _, line := range lines {
			x, _ := fetch.ParseCookie(line)
			if x.Domain != e.args[1] || x.Path != e.args[2] || x.Name != e.args[3] {
				keep = append(keep, line)
			}
		}
		if len(keep) == len(lines) {
			return errors.New("Cookie not found in jar")
		}
		return e.writeCookies(e.args[0], keep)
	}
	return c
}

func remoteListCookiesCommand() *command {
	c := &command{name: "list-cookies", args: "NAME", about: "Show remote repository cookies", scope: repoScope}
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("NAME must be specified")
		}
		lines, err := e.cookieLines(e.args[0])
		for _, line := range lines {
			if x, ok := fetch.ParseCookie(line); ok {
				e.printCookie(x)
			}
		}
		return err
	}
	return c
}

func (e *env) printCookie(x fetch.Cookie) {
	secure := "FALSE"
	if x.Secure {
		secure = "TRUE"
	}
	e.printf("--\nDomain: %s\nPath: %s\nName: %s\nSecure: %s\n", x.Domain, x.Path, x.Name, secure)
	e.printf("Expires: %s\nValue: %s\n", time.Unix(x.Expires, 0).UTC().Format("2006-01-02 15:04:05 +0000"), x.Value)
}

// cookieLines reads the file of cookies of a remote.
func (e *env) cookieLines(remote string) ([]string, error) {
	if err := ostree.ValidateRemoteName(remote); err != nil { // it need not be there yet
		return nil, err
	}
	data, err := e.repo.Dir().ReadFile(pull.CookieFile(remote), maxCookieFile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), err
}

func (e *env) writeCookies(remote string, lines []string) error {
	text := ""
	for _, line := range lines {
		text += line + "\n"
	}
	return e.repo.Dir().WriteFileAtomic(pull.CookieFile(remote), []byte(text), 0o644, true)
}
