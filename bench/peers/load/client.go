package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// What is asked of whom; the request is built once.
type target struct {
	address string
	plain   bool
	resume  bool
	http2   bool
	path    string
	upload  int
	expect  int64
	request []byte
}

func (t *target) prepare() {
	fields := "Host: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n"
	if t.upload > 0 {
		t.request = []byte(fmt.Sprintf("POST %s HTTP/1.1\r\n%sContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", t.path, fields, t.upload))
		t.request = append(t.request, bytes.Repeat([]byte("0123456789abcdef"), t.upload/16+1)[:t.upload]...)
		return
	}
	t.request = []byte(fmt.Sprintf("GET %s HTTP/1.1\r\n%s\r\n", t.path, fields))
}

// One connection and what happened on it. Used by one goroutine at a time.
type client struct {
	target  *target
	config  *tls.Config
	socket  net.Conn
	reader  *bufio.Reader
	scratch []byte
	last    bool // the answer said that it is the last on this connection

	requests, errors, bytes, dials, resumed int64
	firstError                              string
	tls                                     string
}

const patience = 30 * time.Second

func newClient(t *target) *client {
	c := &client{target: t, scratch: make([]byte, 64<<10)}
	c.config = &tls.Config{
		InsecureSkipVerify:          true, // made for this run; what is measured is the other side
		ServerName:                  "localhost",
		NextProtos:                  []string{"http/1.1"},
		CurvePreferences:            []tls.CurveID{tls.X25519}, // the same key exchange for all lanes
		DynamicRecordSizingDisabled: true,
	}
	if t.http2 {
		c.config.NextProtos = []string{"h2"}
	}
	if t.resume {
		c.config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	return c
}

func (c *client) dial() error {
	c.close()
	c.dials++
	raw, err := net.DialTimeout("tcp", c.target.address, patience)
	if err != nil {
		return err
	}
	c.socket = raw
	if !c.target.plain {
		secure := tls.Client(raw, c.config)
		if err := secure.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if err := secure.Handshake(); err != nil {
			return err
		}
		state := secure.ConnectionState()
		if state.DidResume {
			c.resumed++
		}
		if c.tls == "" {
			c.tls = fmt.Sprintf("TLSv1.%d %s", state.Version-tls.VersionTLS10, tls.CipherSuiteName(state.CipherSuite))
		}
		c.socket = secure
	}
	if c.reader == nil {
		c.reader = bufio.NewReaderSize(c.socket, 16<<10)
	} else {
		c.reader.Reset(c.socket)
	}
	return nil
}

func (c *client) close() {
	if c.socket != nil {
		c.socket.Close()
		c.socket = nil
	}
}

// ask sends the request and reads its answer to the end; a connection that is gone is dialled anew.
// A failure is counted, never repeated.
func (c *client) ask() {
	err := c.exchange()
	if err == nil {
		c.requests++
		if c.last {
			c.close()
		}
		return
	}
	c.errors++
	if c.firstError == "" {
		c.firstError = err.Error()
	}
	c.close()
	if c.errors > 1000 {
		fail("over 1000 errors on one connection, the first: " + c.firstError)
	}
}

func (c *client) exchange() error {
	if c.socket == nil {
		if err := c.dial(); err != nil {
			return err
		}
	}
	if c.target.http2 {
		return c.exchangeHTTP2()
	}
	if _, err := c.socket.Write(c.target.request); err != nil {
		return err
	}
	length, chunked, err := c.readHead()
	if err != nil {
		return err
	}
	got, err := c.readBody(length, chunked)
	if err == nil && c.target.expect >= 0 && got != c.target.expect {
		err = fmt.Errorf("a body of %d bytes, not %d", got, c.target.expect)
	}
	c.bytes += got
	return err
}
