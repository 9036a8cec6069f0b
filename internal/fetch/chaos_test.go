package fetch

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// chaos answers each request in a random way, half of the time right.
func chaos(seed uint64) http.HandlerFunc {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		kind, n := rng.IntN(24), rng.IntN(len(good))
		mu.Unlock()
		switch kind {
		case 0:
			status(http.StatusServiceUnavailable)(w, r)
		case 1:
			status(http.StatusNotFound)(w, r)
		case 2, 3, 4:
			cut(good, n)(w, r)
		case 5:
			content(wrong)(w, r)
		case 6:
			cut(wrong, n)(w, r)
		case 7:
			ignoreRange(content(good))(w, r)
		case 8:
			content(nil)(w, r)
		case 9: // more than was asked for, or from elsewhere
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", n, len(good)-1, len(good)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(good[n:])
		case 10: // an end that only the size tells
			w.(http.Flusher).Flush()
			w.Write(good[:n])
		case 11:
			panic(http.ErrAbortHandler)
		default:
			content(good)(w, r)
		}
	}
}

// TestChaos: whatever servers do, the result is the right content or an error, and
// there is a result.
func TestChaos(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := testClient(t, Options{})
	m := NewMirrors(serve(t, chaos(1)), serve(t, chaos(2)), serve(t, chaos(3)))
	dir := t.TempDir()
	succeeded := 0
	for i := range 300 {
		req := Request{Mirrors: m, Path: "f", Checksums: []Checksum{sha(good)}}
		if i%3 == 0 {
			req.Size = int64(len(good))
		}
		path := filepath.Join(dir, fmt.Sprint(i%7)) // meets what failures have left behind
		os.Remove(path)
		var got []byte
		var err error
		switch i % 4 {
		case 0:
			got, _, err = c.Bytes(ctx, req)
		case 1:
			var buf bytes.Buffer
			_, err = c.Get(ctx, req, &buf)
			got = buf.Bytes()
		default:
			if _, err = c.File(ctx, req, path); err == nil {
				got, err = os.ReadFile(path)
			} else if _, statErr := os.Stat(path); statErr == nil {
				t.Fatalf("%d: an error, but there is a file", i)
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("%d: no end", i)
		}
		if err == nil {
			succeeded++
			if !bytes.Equal(got, good) {
				t.Fatalf("%d: wrong content of %d bytes", i, len(got))
			}
		}
	}
	if succeeded < 200 {
		t.Errorf("only %d of 300 transfers succeeded", succeeded)
	}
}
