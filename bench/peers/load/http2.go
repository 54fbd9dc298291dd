package main

import (
	"encoding/binary"
	"errors"
	"io"
)

// One request over HTTP/2, the first and last on its connection: what a client that goes idle afterwards has done.
// The rows under load are h2load's.

const (
	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameGoaway   = 7
	flagEnd       = 1 // of a stream; of SETTINGS: it acknowledges
)

func (c *client) exchangeHTTP2() error {
	sent := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, nil)...)
	block := []byte{0x82, 0x87, 0x01, 9} // :method GET, :scheme https, :authority (RFC 7541, appendix A)
	block = append(append(block, "localhost"...), 0x04, byte(len(c.target.path)))
	sent = append(sent, frame(frameHeaders, flagEnd|4, 1, append(block, c.target.path...))...)
	if _, err := c.socket.Write(sent); err != nil {
		return err
	}
	var head [9]byte
	for {
		if _, err := io.ReadFull(c.reader, head[:]); err != nil {
			return err
		}
		length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		if length > len(c.scratch) {
			return errors.New("a frame that is larger than was agreed")
		}
		payload := c.scratch[:length]
		if _, err := io.ReadFull(c.reader, payload); err != nil {
			return err
		}
		kind, flags := head[3], head[4]
		switch {
		case kind == frameSettings && flags&flagEnd == 0:
			if _, err := c.socket.Write(frame(frameSettings, flagEnd, 0, nil)); err != nil {
				return err
			}
		case kind == frameReset, kind == frameGoaway:
			return errors.New("the request was reset")
		case kind == frameHeaders && (length == 0 || payload[0] != 0x88 && payload[0]>>5 != 1):
			return errors.New("not a 200") // which all peers send from the static table, some after a new table size
		case kind == frameData:
			c.bytes += int64(length)
		}
		if (kind == frameData || kind == frameHeaders) && flags&flagEnd != 0 {
			return nil
		}
	}
}

func frame(kind, flags byte, id uint32, payload []byte) []byte {
	length := len(payload)
	head := []byte{byte(length >> 16), byte(length >> 8), byte(length), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[5:], id)
	return append(head, payload...)
}
