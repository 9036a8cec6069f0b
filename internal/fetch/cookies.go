package fetch

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Cookie is a line of a file of cookies, as Netscape had them and curl still has
// (https://curl.se/docs/http-cookies.html).
type Cookie struct {
	Domain     string // with the prefix "#HttpOnly_" if it has one
	Subdomains bool
	Path       string
	Secure     bool
	Expires    int64 // seconds since 1970, 0 for never
	Name       string
	Value      string
}

const httpOnly = "#HttpOnly_"

// ParseCookie reads a line. Fields are separated by white space.
func ParseCookie(line string) (c Cookie, ok bool) {
	f := strings.Fields(line)
	if len(f) != 7 {
		return c, false
	}
	expires, err := strconv.ParseInt(f[4], 10, 64)
	if err != nil || expires < 0 {
		return c, false
	}
	return Cookie{f[0], strings.EqualFold(f[1], "TRUE"), f[2], strings.EqualFold(f[3], "TRUE"), expires, f[5], f[6]}, true
}

// ParseCookies reads a file of cookies. What is none is left out.
func ParseCookies(file []byte) []Cookie {
	var list []Cookie
	for line := range strings.Lines(string(file)) {
		if c, ok := ParseCookie(line); ok {
			list = append(list, c)
		}
	}
	return list
}

// String returns the line of the cookie, without its end.
func (c Cookie) String() string {
	flag := func(b bool) string { return strings.ToUpper(strconv.FormatBool(b)) }
	return strings.Join([]string{c.Domain, flag(c.Subdomains), c.Path, flag(c.Secure), strconv.FormatInt(c.Expires, 10), c.Name, c.Value}, "\t")
}

func newJar(list []Cookie) (http.CookieJar, error) {
	if len(list) == 0 {
		return nil, nil
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		domain := strings.TrimPrefix(c.Domain, httpOnly)
		host := strings.TrimPrefix(domain, ".")
		if host == "" || strings.HasPrefix(domain, "#") {
			continue
		}
		x := &http.Cookie{Name: c.Name, Value: c.Value, Path: c.Path, Secure: c.Secure}
		if c.Subdomains {
			x.Domain = host
		}
		if c.Expires > 0 {
			x.Expires = time.Unix(c.Expires, 0)
		}
		jar.SetCookies(&url.URL{Scheme: "https", Host: host, Path: "/"}, []*http.Cookie{x})
	}
	return jar, nil
}
