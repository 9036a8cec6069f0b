package fetch

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTrace(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"tag"`)
		w.Write([]byte("content"))
	}))
	defer server.Close()
	var trace strings.Builder
	c, err := New(Options{Username: "user", Password: "word", Trace: &trace})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	req, err := http.NewRequest("GET", server.URL+"/file", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("user", "word")
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for _, want := range []string{"> GET " + server.URL + "/file\n", "> Authorization: (not shown)\n",
		"< HTTP/1.1 200 OK: " + server.URL + "/file\n", "< Etag: \"tag\"\n"} {
		if !strings.Contains(trace.String(), want) {
			t.Errorf("no %q in\n%s", want, &trace)
		}
	}
	if strings.Contains(trace.String(), "content\n") || strings.Contains(trace.String(), "dXNlcjp3b3Jk") {
		t.Errorf("too much in\n%s", &trace)
	}
}
