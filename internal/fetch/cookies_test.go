package fetch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestParseCookies(t *testing.T) {
	list := ParseCookies([]byte("# Netscape HTTP Cookie File\n\nexample.com\tFALSE\t/\tTRUE\t0\tname\tvalue\n" +
		"#HttpOnly_.example.com TRUE /path FALSE 2000000000 a b\nexample.com\tFALSE\t/\tFALSE\tx\ta\tb\ntoo few\n"))
	want := []Cookie{
		{Domain: "example.com", Path: "/", Secure: true, Name: "name", Value: "value"},
		{Domain: "#HttpOnly_.example.com", Subdomains: true, Path: "/path", Expires: 2000000000, Name: "a", Value: "b"},
	}
	if !slices.Equal(list, want) {
		t.Errorf("%+v", list)
	}
	if got := list[1].String(); got != "#HttpOnly_.example.com\tTRUE\t/path\tFALSE\t2000000000\ta\tb" {
		t.Errorf("%q", got)
	}
}

func TestCookiesAreSent(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header.Get("Cookie") }))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.ReplaceAll("HOST FALSE / FALSE 0 a 1\nHOST FALSE /deep FALSE 0 b 2\n#HttpOnly_HOST FALSE / FALSE 4000000000 c 3\n"+
		"HOST FALSE / FALSE 1000 old 4\nother.example FALSE / FALSE 0 other 6\n", "HOST", u.Hostname())
	c, err := New(Options{Cookies: ParseCookies([]byte(file))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for path, want := range map[string]string{"/": "a=1; c=3", "/deep/x": "b=2; a=1; c=3"} {
		if _, _, err := c.Bytes(context.Background(), Request{URL: server.URL + path}); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestCookieDomains(t *testing.T) {
	jar, err := newJar(ParseCookies([]byte("example.com FALSE / TRUE 0 secure 1\n.example.com TRUE / FALSE 0 all 2\n# FALSE / FALSE 0 x 3\n")))
	if err != nil {
		t.Fatal(err)
	}
	for u, want := range map[string]string{
		"http://example.com/": "all", "https://example.com/": "secure all", "http://a.example.com/": "all", "http://example.org": "",
	} {
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range jar.Cookies(parsed) {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %q, want %q", u, got, want)
		}
	}
}

func FuzzParseCookies(f *testing.F) {
	f.Add([]byte("example.com\tFALSE\t/\tTRUE\t0\tname\tvalue\n#HttpOnly_.example.com TRUE /path FALSE 2000000000 a b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list := ParseCookies(data)
		for _, c := range list {
			if back, ok := ParseCookie(c.String()); !ok || back != c {
				t.Errorf("%+v is read back as %+v", c, back)
			}
		}
		if _, err := newJar(list); err != nil {
			t.Error(err)
		}
	})
}
