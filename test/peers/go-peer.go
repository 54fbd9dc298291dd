// HTTP/2 as Go's net/http speaks it, at either end: `app` serves it in clear text and says the port, `client URL CA` asks a
// server over TLS and says what it got, as one line of JSON. Go 1.24 or newer, standard library only.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
)

func main() {
	if os.Args[1] == "app" {
		serve(os.Args[2])
		return
	}
	result := ask(os.Args[2], os.Args[3])
	json.NewEncoder(os.Stdout).Encode(result)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ---- the app: what is posted comes back, all else is the page

func serve(pagePath string) {
	page, err := os.ReadFile(pagePath)
	check(err)
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("Trailer", "X-Trailer, X-Asked")
		if r.Method == http.MethodPost {
			io.Copy(w, r.Body)
		} else {
			w.Write(page)
		}
		w.Header().Set("X-Trailer", "42")
		w.Header().Set("X-Asked", r.Trailer.Get("X-Asked"))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: http.HandlerFunc(handler), Protocols: protocols}
	check(server.Serve(listener))
}

// ---- the client

type result struct {
	Proto    string
	Page     string
	Echo     string
	Trailers map[string]string
	Served   int
	AfterEnd int
}

func sum(body io.Reader) string {
	hash := sha256.New()
	length, err := io.Copy(hash, body)
	check(err)
	return fmt.Sprintf("%d %x", length, hash.Sum(nil))
}

func ask(url, caPath string) result {
	pem, err := os.ReadFile(caPath)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport}
	var told result

	answer, err := client.Get(url + "/page")
	check(err)
	told.Proto = answer.Proto
	told.Page = sum(answer.Body)

	told.Echo, told.Trailers = echo(client, url)
	told.Served = many(client, url, 100)

	// A request that is given up is reset; the connection goes on.
	ctx, cancel := context.WithCancel(context.Background())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: cancel})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/hold", http.NoBody)
	check(err)
	if _, err = client.Do(request); err == nil {
		check(fmt.Errorf("a request that was given up was answered"))
	}
	answer, err = client.Get(url + "/page")
	check(err)
	sum(answer.Body)
	told.AfterEnd = answer.StatusCode
	return told
}

// A body of 1 MiB whose length is not said, with a trailer.
func echo(client *http.Client, url string) (string, map[string]string) {
	body := io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef"), 1<<16)))
	request, err := http.NewRequest(http.MethodPost, url+"/echo", body)
	check(err)
	request.Trailer = http.Header{"X-Asked": {"by go"}}
	answer, err := client.Do(request)
	check(err)
	got := sum(answer.Body)
	return got, map[string]string{"x-trailer": answer.Trailer.Get("X-Trailer"), "x-asked": answer.Trailer.Get("X-Asked")}
}

func many(client *http.Client, url string, count int) int {
	var all sync.WaitGroup
	var lock sync.Mutex
	served := 0
	for range count {
		all.Add(1)
		go func() {
			defer all.Done()
			answer, err := client.Get(url + "/page")
			check(err)
			sum(answer.Body)
			lock.Lock()
			defer lock.Unlock()
			if answer.StatusCode == http.StatusOK {
				served++
			}
		}()
	}
	all.Wait()
	return served
}
