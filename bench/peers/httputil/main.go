// A peer of the bench: the reverse proxy that one writes in Go in twenty lines, with its pool tuned
// (the default of two idle connections per host would dial for nearly every request).
package main

import (
	"crypto/tls"
	"flag"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte      { return b.Pool.Get().([]byte) }
func (b *buffers) Put(bytes []byte) { b.Pool.Put(bytes) } //nolint: the slice header is the price of this interface

func main() {
	listen := flag.String("listen", "", "where TLS is accepted")
	cert := flag.String("cert", "", "PEM chain")
	key := flag.String("key", "", "PEM key")
	upstream := flag.String("upstream", "", "the app, http://HOST:PORT")
	flag.Parse()

	app, err := url.Parse(*upstream)
	if err != nil {
		log.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 0
	transport.MaxIdleConnsPerHost = 256
	transport.DisableCompression = true
	proxy := httputil.NewSingleHostReverseProxy(app)
	proxy.Transport = transport
	proxy.BufferPool = &buffers{sync.Pool{New: func() any { return make([]byte, 32<<10) }}}
	direct := proxy.Director
	proxy.Director = func(request *http.Request) {
		direct(request)
		request.Header.Set("X-Forwarded-Proto", "https")
	}
	server := &http.Server{
		Addr:      *listen,
		Handler:   proxy,
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	log.Fatal(server.ListenAndServeTLS(*cert, *key))
}
