package main

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

func (c *client) readHead() (length int64, chunked bool, err error) {
	length, c.last = -1, false
	for first := true; ; first = false {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < 12 || string(line[9:12]) != "200" {
				return 0, false, errors.New("not a 200: " + string(line))
			}
			continue
		}
		if len(line) == 0 {
			return length, chunked, nil
		}
		if first := line[0] | 0x20; first != 'c' && first != 't' {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("connection")):
			c.last = bytes.EqualFold(value, []byte("close"))
		}
	}
}

func (c *client) readBody(length int64, chunked bool) (got int64, err error) {
	if !chunked {
		if length < 0 {
			return 0, errors.New("an answer without a length")
		}
		return c.skip(length)
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return got, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 64)
		if err != nil {
			return got, err
		}
		n, err := c.skip(size)
		got += n
		if err != nil {
			return got, err
		}
		if _, err := c.skip(2); err != nil || size == 0 {
			return got, err
		}
	}
}

func (c *client) skip(length int64) (got int64, err error) {
	for got < length {
		part := c.scratch
		if left := length - got; left < int64(len(part)) {
			part = part[:left]
		}
		n, err := c.reader.Read(part)
		got += int64(n)
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return got, err
		}
	}
	return got, nil
}
