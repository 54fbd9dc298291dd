package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// gRPC over HTTP/2 in clear text, as far as a benchmark needs it: header blocks are not decoded, so that every call is
// the same one. Its message begins with two numbers of four bytes: how many messages the answer has, and their size.

const (
	preface      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	maxCallBytes = 64 << 10
	maxMessage   = 16<<10 - 5 // one DATA frame each
	ourWindow    = 1 << 20
)

const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameWindowUpdate = 8

	flagEnd        = 1 // of a stream; of SETTINGS and PING: it acknowledges
	flagEndHeaders = 4
	flagPadded     = 8
)

// :status 200 from the static table, then content-type and grpc-status as literals (RFC 7541, section 6.2.2)
var answerHead = []byte("\x88\x0f\x10\x10application/grpc")
var answerTrailers = []byte("\x00\x0bgrpc-status\x010")

type call struct {
	id      uint32
	window  int64
	asked   []byte
	left    uint32 // messages that were not sent yet
	message uint32 // the size of each
}

// One goroutine reads and writes. What one read brought is answered in one write.
type grpcConnection struct {
	reader   *bufio.Reader
	writer   *bufio.Writer
	calls    map[uint32]*call
	pending  []*call // being answered
	window   int64
	initial  int64
	received int
	payload  []byte
}

var errProtocol = errors.New("not what a client sends")

func serveGrpc(connection *net.TCPConn, reader *bufio.Reader) error {
	if _, err := reader.Discard(len(preface)); err != nil {
		return err
	}
	g := &grpcConnection{
		reader: reader, writer: bufio.NewWriterSize(connection, 64<<10),
		calls: map[uint32]*call{}, window: 65535, initial: 65535, payload: make([]byte, 16<<10),
	}
	g.frame(frameSettings, 0, 0, []byte{0, 4, 0, ourWindow >> 16, 0, 0}) // SETTINGS_INITIAL_WINDOW_SIZE
	g.windowUpdate(ourWindow)
	for {
		if err := g.readFrame(); err != nil {
			return err
		}
		if reader.Buffered() > 0 {
			continue
		}
		g.answer()
		if err := g.writer.Flush(); err != nil {
			return err
		}
	}
}

func (g *grpcConnection) readFrame() error {
	var head [9]byte
	if _, err := io.ReadFull(g.reader, head[:]); err != nil {
		return err
	}
	length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	if length > cap(g.payload) {
		return errProtocol
	}
	payload := g.payload[:length]
	if _, err := io.ReadFull(g.reader, payload); err != nil {
		return err
	}
	return g.take(head[3], head[4], binary.BigEndian.Uint32(head[5:])&0x7fffffff, payload)
}

func (g *grpcConnection) take(kind, flags byte, id uint32, payload []byte) error {
	switch kind {
	case frameHeaders:
		g.calls[id] = &call{id: id, window: g.initial}
		if flags&flagEnd != 0 {
			return g.begin(id)
		}
	case frameData:
		return g.takeData(flags, id, payload)
	case frameReset:
		delete(g.calls, id)
	case frameSettings:
		if flags&flagEnd == 0 {
			g.takeSettings(payload)
		}
	case framePing:
		if flags&flagEnd == 0 {
			g.frame(framePing, flagEnd, 0, payload)
		}
	case frameWindowUpdate:
		if len(payload) != 4 {
			return errProtocol
		}
		more := int64(binary.BigEndian.Uint32(payload))
		if id == 0 {
			g.window += more
		} else if one := g.calls[id]; one != nil {
			one.window += more
		}
	}
	return nil
}

func (g *grpcConnection) takeData(flags byte, id uint32, payload []byte) error {
	if g.received += len(payload); g.received >= ourWindow/2 {
		g.windowUpdate(g.received)
		g.received = 0
	}
	one := g.calls[id]
	if one == nil {
		return nil // it was reset
	}
	if flags&flagPadded != 0 {
		if len(payload) == 0 || len(payload) <= int(payload[0]) {
			return errProtocol
		}
		payload = payload[1 : len(payload)-int(payload[0])]
	}
	if one.asked = append(one.asked, payload...); len(one.asked) > maxCallBytes {
		return errProtocol
	}
	if flags&flagEnd != 0 {
		return g.begin(id)
	}
	return nil
}

func (g *grpcConnection) takeSettings(payload []byte) {
	for ; len(payload) >= 6; payload = payload[6:] {
		if binary.BigEndian.Uint16(payload) != 4 {
			continue
		}
		initial := int64(binary.BigEndian.Uint32(payload[2:]))
		for _, one := range g.calls {
			one.window += initial - g.initial
		}
		g.initial = initial
	}
	g.frame(frameSettings, flagEnd, 0, nil)
}

func (g *grpcConnection) begin(id uint32) error {
	one := g.calls[id]
	if len(one.asked) >= 13 { // the prefix of the message has 5 bytes
		one.left, one.message = binary.BigEndian.Uint32(one.asked[5:]), binary.BigEndian.Uint32(one.asked[9:])
	}
	if one.message > maxMessage {
		return errProtocol
	}
	g.frame(frameHeaders, flagEndHeaders, id, answerHead)
	g.pending = append(g.pending, one)
	return nil
}

// answer sends what the windows allow, a DATA frame a message, as an app does that writes them one by one.
func (g *grpcConnection) answer() {
	kept := g.pending[:0]
	for _, one := range g.pending {
		size := int64(one.message) + 5
		for one.left > 0 && one.window >= size && g.window >= size {
			g.frameHead(int(size), frameData, 0, one.id)
			g.writer.Write([]byte{0, byte(one.message >> 24), byte(one.message >> 16), byte(one.message >> 8), byte(one.message)})
			g.writer.Write(memory[:one.message])
			one.left, one.window, g.window = one.left-1, one.window-size, g.window-size
		}
		switch {
		case g.calls[one.id] == nil: // it was reset
		case one.left > 0:
			kept = append(kept, one)
		default:
			g.frame(frameHeaders, flagEndHeaders|flagEnd, one.id, answerTrailers)
			delete(g.calls, one.id)
		}
	}
	g.pending = kept
}

func (g *grpcConnection) windowUpdate(bytes int) {
	g.frame(frameWindowUpdate, 0, 0, []byte{byte(bytes >> 24), byte(bytes >> 16), byte(bytes >> 8), byte(bytes)})
}

func (g *grpcConnection) frame(kind, flags byte, id uint32, payload []byte) {
	g.frameHead(len(payload), kind, flags, id)
	g.writer.Write(payload) // an error stays with the writer until it is flushed
}

func (g *grpcConnection) frameHead(length int, kind, flags byte, id uint32) {
	head := [9]byte{byte(length >> 16), byte(length >> 8), byte(length), kind, flags}
	binary.BigEndian.PutUint32(head[5:], id)
	g.writer.Write(head[:])
}
