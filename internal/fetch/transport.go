package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
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
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}
	dial := dialer.DialContext
	if o.IPVersion == 4 || o.IPVersion == 6 {
		network := fmt.Sprintf("tcp%d", o.IPVersion)
		dial = func(ctx context.Context, _, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		}
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
	if o.ProxyUsername != "" {
		u.User = url.UserPassword(o.ProxyUsername, o.ProxyPassword)
	}
	return http.ProxyURL(u), nil
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= MaxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}
