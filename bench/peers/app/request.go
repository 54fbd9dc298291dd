package main

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
)

const maxHead = 64 << 10

// A request as far as this app needs it. The slices are only good until the next read.
type request struct {
	post    bool
	path    string
	length  int64
	chunked bool
	last    bool
	head    []byte
}

func readHead(reader *bufio.Reader, into *request) error {
	*into = request{head: into.head[:0]}
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(into.head)+len(line) > maxHead {
			return io.ErrShortBuffer
		}
		first := len(into.head) == 0
		into.head = append(into.head, line...)
		line = bytes.TrimRight(line, "\r\n")
		if first {
			parts := bytes.SplitN(line, []byte(" "), 3)
			if len(parts) != 3 {
				return io.ErrUnexpectedEOF
			}
			into.post, into.path, into.last = parts[0][0] == 'P', string(parts[1]), string(parts[2]) == "HTTP/1.0"
			continue
		}
		if len(line) == 0 {
			return nil
		}
		if err := noteField(line, into); err != nil {
			return err
		}
	}
}

func noteField(line []byte, into *request) error {
	switch line[0] | 0x20 {
	case 'c', 't':
	default:
		return nil
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	var err error
	switch {
	case bytes.EqualFold(name, []byte("content-length")):
		into.length, err = strconv.ParseInt(string(value), 10, 64)
	case bytes.EqualFold(name, []byte("transfer-encoding")):
		into.chunked = bytes.EqualFold(value, []byte("chunked"))
	case bytes.EqualFold(name, []byte("connection")):
		into.last = into.last || bytes.EqualFold(value, []byte("close"))
	}
	return err
}
