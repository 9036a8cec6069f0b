package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// noProxy is how .repo files and ostree remotes say "no proxy at all".
const noProxy = "_none_"

func newTransport(o *Options) (*http.Transport, error) {
	conf, err := tlsConfig(o.TLS)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyFunc(o)
	if err != nil {
		return nil, err
	}
	d := &net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}
	var dial dialer = d.DialContext
	if o.IPVersion == 4 || o.IPVersion == 6 {
		network := fmt.Sprintf("tcp%d", o.IPVersion)
		dial = func(ctx context.Context, _, addr string) (net.Conn, error) {
			return d.DialContext(ctx, network, addr)
		}
	}
	if proxy, dial, err = proxyTLS(o, proxy, dial); err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy:                 proxy,
		DialContext:           dial,
		TLSClientConfig:       conf,
		TLSHandshakeTimeout:   o.ConnectTimeout,
		ResponseHeaderTimeout: 2 * o.ConnectTimeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       60 * time.Second,
		MaxIdleConnsPerHost:   o.MaxPerHost,
		ForceAttemptHTTP2:     !o.HTTP1,
		// Sizes and checksums are of the file as it is stored on the server.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 1 << 20,
	}
	if o.HTTP1 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return t, nil
}

func tlsConfig(o TLSOptions) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}
	if o.Status {
		conf.VerifyConnection = verifyStatus
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading certificate authorities: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificates found", o.CAFile)
		}
	}
	if o.CertFile != "" {
		key := o.KeyFile
		setDefault(&key, o.CertFile)
		cert, err := tls.LoadX509KeyPair(o.CertFile, key)
		if err != nil {
			return nil, fmt.Errorf("loading client certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

// proxyTLS makes connections to an https proxy secure by themselves, because its
// certificates may be others than those of the servers behind it.
func proxyTLS(o *Options, proxy proxyOf, dial dialer) (proxyOf, dialer, error) {
	if o.ProxyTLS == (TLSOptions{}) || o.Proxy == "" || o.Proxy == noProxy {
		return proxy, dial, nil
	}
	u, err := proxy(nil)
	if err != nil || u.Scheme != "https" {
		return proxy, dial, err
	}
	conf, err := tlsConfig(o.ProxyTLS)
	if err != nil {
		return nil, nil, err
	}
	conf.ServerName = u.Hostname()
	plain := *u
	plain.Scheme, plain.Host = "http", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))
	secure := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil || addr != plain.Host {
			return conn, err
		}
		c := tls.Client(conn, conf)
		if err := c.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return c, nil
	}
	return http.ProxyURL(&plain), secure, nil
}

type (
	proxyOf = func(*http.Request) (*url.URL, error)
	dialer  = func(ctx context.Context, network, addr string) (net.Conn, error)
)

// verifyStatus wants an OCSP response that came with the certificate.
func verifyStatus(s tls.ConnectionState) error {
	if len(s.OCSPResponse) == 0 || len(s.PeerCertificates) == 0 {
		return errors.New("server sent no status of its certificate")
	}
	var issuer *x509.Certificate
	if len(s.VerifiedChains) > 0 && len(s.VerifiedChains[0]) > 1 {
		issuer = s.VerifiedChains[0][1]
	}
	r, err := ocsp.ParseResponseForCert(s.OCSPResponse, s.PeerCertificates[0], issuer)
	if err != nil {
		return fmt.Errorf("status of certificate: %w", err)
	}
	if r.Status != ocsp.Good || !r.NextUpdate.IsZero() && r.NextUpdate.Before(time.Now()) {
		return errors.New("certificate is revoked, or its status is not known")
	}
	return nil
}

func proxyFunc(o *Options) (func(*http.Request) (*url.URL, error), error) {
	switch o.Proxy {
	case "":
		return http.ProxyFromEnvironment, nil
	case noProxy:
		return nil, nil
	}
	u, err := url.Parse(o.Proxy)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("invalid proxy %q", o.Proxy)
	}
	switch {
	case o.ProxyAuth == ProxyNone:
		u.User = nil
	case o.ProxyAuth.asked():
		if o.ProxyUsername == "" && u.User != nil {
			o.ProxyUsername = u.User.Username()
			o.ProxyPassword, _ = u.User.Password()
		}
		u.User = nil // else it would be sent unasked
	case o.ProxyUsername != "":
		u.User = url.UserPassword(o.ProxyUsername, o.ProxyPassword)
	}
	return http.ProxyURL(u), nil
}

// checkRedirect also keeps passwords from another server, and from one that would read them
// without TLS, as curl does.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= MaxRedirects {
		return errors.New("too many redirects")
	}
	if !sameServer(req.URL, via[0].URL) {
		req.Header.Del("Authorization")
	}
	return nil
}

// sameServer reports whether scheme, host and port are the same, however they are written.
func sameServer(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}
