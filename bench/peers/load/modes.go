package main

import (
	"net"
	"sync"
	"time"
)

func newPool(t *target, size int) []*client {
	pool := make([]*client, size)
	for i := range pool {
		pool[i] = newClient(t)
	}
	return pool
}

func dialAll(t *target, size int) []*client {
	pool := newPool(t, size)
	for _, c := range pool {
		if err := c.dial(); err != nil {
			fail(t.address + ": " + err.Error())
		}
	}
	return pool
}

// each runs work once per client, all at the same time, and adds up what they did in the meantime.
func each(pool []*client, work func(c *client)) result {
	for _, c := range pool {
		c.requests, c.errors, c.bytes, c.dials, c.resumed, c.firstError = 0, 0, 0, 0, 0, ""
	}
	var all sync.WaitGroup
	begin := time.Now()
	for _, c := range pool {
		all.Add(1)
		go func(c *client) {
			defer all.Done()
			work(c)
		}(c)
	}
	all.Wait()
	out := result{Seconds: time.Since(begin).Seconds()}
	for _, c := range pool {
		out.Requests += c.requests
		out.Errors += c.errors
		out.Bytes += c.bytes
		out.Dials += c.dials
		out.Resumed += c.resumed
		if out.FirstError == "" {
			out.FirstError = c.firstError
		}
		if out.TLS == "" {
			out.TLS = c.tls
		}
	}
	return out
}

func runClosed(pool []*client, span time.Duration) result {
	end := time.Now().Add(span)
	return each(pool, func(c *client) {
		for time.Now().Before(end) {
			c.ask()
		}
	})
}

func runConnect(pool []*client, span time.Duration) result {
	end := time.Now().Add(span)
	return each(pool, func(c *client) {
		for time.Now().Before(end) {
			c.ask() // dials, since the connection was closed
			c.close()
		}
	})
}

func openIdle(t *target, size int) []*client {
	pool := newPool(t, size)
	turn := make(chan *client, size)
	for _, c := range pool {
		turn <- c
	}
	close(turn)
	var all sync.WaitGroup
	for i := 0; i < 16; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for c := range turn {
				c.ask()
			}
		}()
	}
	all.Wait()
	return pool
}

// A connection is alive when reading from it brings nothing rather than its end.
func countAlive(pool []*client) result {
	out := each(pool, func(c *client) {
		if c.socket == nil {
			c.errors++
			return
		}
		if err := c.socket.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return
		}
		_, err := c.reader.Peek(1)
		for err == nil && c.target.http2 { // a frame is no end
			c.reader.Discard(c.reader.Buffered())
			_, err = c.reader.Peek(1)
		}
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			c.requests++
		}
	})
	out.Alive = out.Requests
	return out
}
