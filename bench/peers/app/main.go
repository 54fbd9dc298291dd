// The app of the bench: a plain HTTP/1.1 server that is cheap enough never to be the bottleneck of its own core.
// It decides nothing and checks little: it is only ever asked by the bench, over loopback.
//
//	GET  /bytes/N      N bytes (from memory up to 1 MiB, by sendfile above)
//	POST /upload       reads the body, answers with its length
//	POST /sha256       reads the body, answers with its length and SHA-256
//	GET  /head         answers with the request head as it arrived
//	GET  /connections  how many connections it has accepted since its start (the asking one included)
//
// On HTTP/2 in clear text, with prior knowledge, it answers every request as a gRPC call; see grpc.go.
package main

import (
	"bufio"
	"flag"
	"io"
	"log"
	"net"
	"net/http/httputil"
	"os"
	"strings"
	"sync/atomic"
)

const memoryBytes = 1 << 20

var (
	accepted int64
	memory   []byte
	file     string
	fileSize int64
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	flag.StringVar(&file, "file", "", "file whose bytes large answers are made of")
	flag.Parse()

	handle, err := os.Open(file)
	if err != nil {
		log.Fatal(err)
	}
	info, err := handle.Stat()
	if err != nil || info.Size() < memoryBytes {
		log.Fatalf("%s: needs at least %d bytes (%v)", file, memoryBytes, err)
	}
	fileSize = info.Size()
	memory = make([]byte, memoryBytes)
	if _, err := io.ReadFull(handle, memory); err != nil {
		log.Fatal(err)
	}
	handle.Close()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		atomic.AddInt64(&accepted, 1)
		go serve(connection.(*net.TCPConn))
	}
}

func serve(connection *net.TCPConn) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, 16<<10)
	if first, err := reader.Peek(3); err != nil {
		return
	} else if string(first) == preface[:3] {
		serveGrpc(connection, reader)
		return
	}
	scratch := make([]byte, 32<<10)
	var asked request
	for {
		if err := readHead(reader, &asked); err != nil {
			return
		}
		var body io.Reader = io.LimitReader(reader, asked.length)
		if asked.chunked {
			body = httputil.NewChunkedReader(reader)
		}
		if err := answer(connection, &asked, body, scratch); err != nil {
			return
		}
		if asked.chunked { // the chunked reader stops before the trailer section
			for line := "-"; strings.TrimRight(line, "\r\n") != ""; {
				var err error
				if line, err = reader.ReadString('\n'); err != nil {
					return
				}
			}
		}
		if asked.last {
			return
		}
	}
}
