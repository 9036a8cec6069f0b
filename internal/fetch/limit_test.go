package fetch

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A limited client is not faster than it may be; how much slower says nothing.
func TestMaxRate(t *testing.T) {
	b := bytes.Repeat([]byte("x"), 100_000)
	c := testClient(t, Options{MaxRate: 1_000_000})
	start := time.Now()
	got, _, err := c.Bytes(t.Context(), Request{URL: serve(t, content(b))})
	if err != nil || !bytes.Equal(got, b) {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 90*time.Millisecond {
		t.Errorf("100 kB at 1 MB/s took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := testClient(t, Options{MaxRate: 1000}).Bytes(ctx, Request{URL: serve(t, content(b))}); err == nil {
		t.Error("100 kB at 1 kB/s in 50 ms")
	}
}

// An authority issues certificates and says that they are good or revoked.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  string // file
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pem: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert, a.key = issue(t, nil, "test authority")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := os.WriteFile(a.pem, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, by *authority, name string) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: by == nil, BasicConstraintsValid: true,
	}
	parent, signer := template, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// server starts a TLS server whose certificate the authority has issued.
func (a *authority) server(t *testing.T, h http.Handler, status func(*x509.Certificate) []byte) string {
	t.Helper()
	cert, key := issue(t, a, "server")
	pair := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	if status != nil {
		pair.OCSPStaple = status(cert)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestStatus(t *testing.T) {
	a := newAuthority(t)
	response := func(status int, next time.Duration) func(*x509.Certificate) []byte {
		return func(c *x509.Certificate) []byte {
			b, err := ocsp.CreateResponse(a.cert, a.cert, ocsp.Response{
				Status: status, SerialNumber: c.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(next), RevokedAt: time.Now(),
			}, a.key)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	for name, tt := range map[string]struct {
		status func(*x509.Certificate) []byte
		ok     bool
	}{
		"good":    {response(ocsp.Good, time.Hour), true},
		"none":    {nil, false},
		"revoked": {response(ocsp.Revoked, time.Hour), false},
		"unknown": {response(ocsp.Unknown, time.Hour), false},
		"old":     {response(ocsp.Good, -time.Minute), false},
		"garbage": {func(*x509.Certificate) []byte { return []byte("x") }, false},
	} {
		url := a.server(t, content([]byte("hello")), tt.status)
		_, _, err := testClient(t, Options{TLS: TLSOptions{CAFile: a.pem, Status: true}}).Bytes(t.Context(), Request{URL: url})
		if (err == nil) != tt.ok {
			t.Errorf("%s: error %v", name, err)
		}
		if _, _, err = testClient(t, Options{TLS: TLSOptions{CAFile: a.pem}}).Bytes(t.Context(), Request{URL: url}); err != nil {
			t.Errorf("%s, nobody asks: error %v", name, err)
		}
	}
}

// A proxy may have certificates of its own, and want one.
func TestProxyTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	target := theirs.server(t, content([]byte("hello")), nil)
	tunnels := 0
	proxy := ours.server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		tunnels++
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(up, conn); up.Close() }()
		go func() { io.Copy(conn, up); conn.Close() }()
	}), nil)
	get := func(o Options) error {
		o.Proxy = proxy
		o.TLS.CAFile = theirs.pem
		b, _, err := testClient(t, o).Bytes(t.Context(), Request{URL: target})
		if err == nil && string(b) != "hello" {
			t.Errorf("%q", b)
		}
		return err
	}
	if err := get(Options{ProxyTLS: TLSOptions{CAFile: ours.pem}}); err != nil || tunnels != 1 {
		t.Errorf("%d tunnels, error %v", tunnels, err)
	}
	if err := get(Options{ProxyTLS: TLSOptions{Insecure: true}}); err != nil {
		t.Error(err)
	}
	if err := get(Options{ProxyTLS: TLSOptions{CAFile: theirs.pem}}); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("error %v", err)
	}
	if _, err := New(Options{Proxy: proxy, ProxyTLS: TLSOptions{CAFile: "/nonexistent"}}); err == nil {
		t.Error("missing file accepted")
	}
}
