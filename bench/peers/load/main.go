// The load generator of the bench, one for all lanes and all HTTP/1.1 rows.
//
//	load closed    CONNS connections, each asks again as soon as it has its answer, for SECONDS
//	load rate      requests leave by a clock at RPS whatever the answers do; latency counts from the intended time
//	load connect   TCP, TLS handshake (full, or with -resume a resumed one), one request, close; again and again
//	load idle      opens CONNS connections, asks once on each and holds them; with -http2 those of HTTP/2
//	load clock     reads lines of process ids, answers each with their CPU nanoseconds
//
// The first four warm up, let everything in flight finish, print "ready" and wait for a line on stdin: who drives this
// program reads the proxy's CPU clock there and again after the result, so that no request is half counted.
// The result is one line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

type result struct {
	Requests   int64   `json:"requests"`
	Errors     int64   `json:"errors"`
	FirstError string  `json:"firstError,omitempty"`
	Seconds    float64 `json:"seconds"`
	Bytes      int64   `json:"bytes"`
	Dials      int64   `json:"dials"`
	Resumed    int64   `json:"resumed"`
	Alive      int64   `json:"alive"`
	P50Us      float64 `json:"p50Us"`
	P99Us      float64 `json:"p99Us"`
	MaxUs      float64 `json:"maxUs"`
	TLS        string  `json:"tls"`
}

var stdin = bufio.NewReader(os.Stdin)

func main() {
	if len(os.Args) < 2 {
		fail("a mode is needed: closed, rate, connect, idle or clock")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	var t target
	flags.StringVar(&t.address, "addr", "", "HOST:PORT")
	flags.BoolVar(&t.plain, "plain", false, "no TLS")
	flags.BoolVar(&t.http2, "http2", false, "HTTP/2 (idle)")
	flags.BoolVar(&t.resume, "resume", false, "resume TLS sessions")
	flags.StringVar(&t.path, "path", "/bytes/100", "what to ask for")
	flags.IntVar(&t.upload, "upload", 0, "POST this many bytes instead of GET")
	flags.Int64Var(&t.expect, "expect", -1, "bytes that every answer's body must have")
	conns := flags.Int("conns", 32, "connections")
	rps := flags.Float64("rps", 1000, "requests per second (rate)")
	seconds := flags.Float64("seconds", 3, "how long to measure")
	warm := flags.Float64("warm", 1, "how long to warm up")
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail(err.Error())
	}
	t.prepare()

	span := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	var out result
	switch os.Args[1] {
	case "closed":
		pool := dialAll(&t, *conns)
		runClosed(pool, span(*warm))
		ready()
		out = runClosed(pool, span(*seconds))
	case "rate":
		pool := dialAll(&t, *conns)
		runRate(pool, *rps, span(*warm))
		ready()
		out = runRate(pool, *rps, span(*seconds))
	case "connect":
		pool := newPool(&t, *conns)
		runConnect(pool, span(*warm))
		ready()
		out = runConnect(pool, span(*seconds))
	case "idle":
		pool := openIdle(&t, *conns)
		ready()
		out = countAlive(pool)
	case "clock":
		serveClock()
		return
	default:
		fail("no such mode: " + os.Args[1])
	}
	line, err := json.Marshal(out)
	if err != nil {
		fail(err.Error())
	}
	fmt.Println(string(line))
}

func ready() {
	fmt.Println("ready")
	if _, err := stdin.ReadString('\n'); err != nil {
		os.Exit(1) // the driver is gone
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "load: "+message)
	os.Exit(1)
}
