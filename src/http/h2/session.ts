// A connection of HTTP/2 for both ends (RFC 9113): which frame may come when, settings, windows, header blocks, and the
// streams by their ids. Whatever breaks the protocol ends the stream or the connection with the code of the RFC. It keeps
// no time and opens no stream by itself; how much of what costs little a peer may send, its owner says.

import type { Duplex } from 'node:stream';
import { ClosedStreams, Ending } from './closed-streams.ts';
import { ControlFrames } from './control-frames.ts';
import { DataFrames } from './data-frames.ts';
import { FieldFrames } from './field-frames.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { Code, Flag, FrameType, PREFACE } from './frames.ts';
import { judgeLateFrame } from './late-frames.ts';
import { Outgoing } from './outgoing.ts';
import { Cost, type SessionOptions, type SessionOwner } from './session-owner.ts';
import { PeerSettings } from './settings.ts';
import { H2Stream } from './stream.ts';

/** Bytes that the socket has not taken, above which nothing is read: our answers to what is read would only add to them. */
const READ_BELOW = 1 << 20;

export class H2Session implements FrameSink {
  readonly streams = new Map<number, H2Stream>();
  readonly out: Outgoing;
  readonly peer = new PeerSettings();
  readonly data: DataFrames;
  /** The last stream that the peer has begun. */
  lastId = 0;
  /** The last one of our own. */
  lastOwnId = -1;
  /** Nothing more is read. */
  stopped = false;
  /** Streams that the peer begins are not looked at any more: it was told our last one. */
  deaf = false;
  readonly #socket: Duplex;
  readonly #owner: SessionOwner;
  readonly #server: boolean;
  readonly #reader: FrameReader;
  readonly #fields: FieldFrames;
  readonly #control: ControlFrames;
  readonly #closed: ClosedStreams;
  readonly #gathered: H2Stream[] = [];
  #settled = false;
  #paused = false;

  constructor(socket: Duplex, owner: SessionOwner, options: SessionOptions) {
    this.#socket = socket;
    this.#owner = owner;
    this.#server = options.server;
    this.#closed = new ClosedStreams(options.server ? Ending.unknown : Ending.resetByUs);
    this.#reader = new FrameReader(this, options.server);
    this.#fields = new FieldFrames(this, options.maxListBytes, options.maxBlockBytes);
    this.out = new Outgoing(
      new FrameWriter(
        socket,
        { written: () => this.#written(), crashed: (error) => owner.crashed(error) },
        options.account,
      ),
    );
    this.#control = new ControlFrames(this, owner);
    if (!options.server) this.out.writer.raw(PREFACE);
    this.out.writer.settings(options.settings);
    this.data = new DataFrames(this, options.window, options.account);
  }

  /** What has begun and is not whole, a frame or a header block, by a number that no other one has; 0: nothing. */
  get unfinished(): number {
    return this.openBlock || (this.#reader.waiting ? -1 - this.#reader.count : 0);
  }

  /** The stream whose header block is under way, or 0. */
  get openBlock(): number {
    return this.#fields.openBlock;
  }

  read(chunk: Buffer): void {
    if (this.stopped) return;
    this.#reader.read(chunk);
    for (let i = 0; i < this.#gathered.length; i++) {
      const stream = this.#gathered[i] as H2Stream;
      stream.gathered = false;
      stream.deliver();
    }
    this.#gathered.length = 0;
    if (this.out.writer.unsent <= READ_BELOW || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  /** The stream that opened() told of, or one of our own. */
  open(id: number): H2Stream {
    if (!this.#server) this.lastOwnId = id;
    const stream = new H2Stream(this, id, this.peer.initialWindow);
    this.streams.set(id, stream);
    return stream;
  }

  /** In the answer to opened(): it will not be looked at. */
  refuse(id: number, code: Code): void {
    this.out.reset(id, code);
    this.#closed.add(id, Ending.resetByUs);
  }

  /** Ends the connection with the reason for it; what is in flight is lost. */
  fail(code: Code, words: string): void {
    if (this.stopped) return;
    this.stopped = true;
    this.out.writer.goaway(this.lastId, code);
    this.out.writer.write();
    this.#owner.failed(code, words);
    this.lose(code);
  }

  /** The connection is gone, and all of its streams with it. */
  lose(code: Code): void {
    this.stopped = true;
    for (const stream of this.streams.values()) stream.lose(code, Ending.resetByPeer);
  }

  /** The socket is closed. */
  close(code: Code): void {
    this.lose(code);
    this.out.writer.close();
    this.data.window.close();
  }

  // ---- for its streams

  choked(): boolean {
    return this.#owner.choked?.() === true;
  }

  gather(stream: H2Stream): void {
    if (stream.gathered) return;
    stream.gathered = true;
    this.#gathered.push(stream);
  }

  closed(stream: H2Stream, ending: Ending): void {
    this.streams.delete(stream.id);
    this.out.queue.delete(stream);
    this.#closed.add(stream.id, ending);
  }

  /** Resets a stream for what the peer did with it; that is counted, for we can be made to do it (CVE-2025-8671). */
  failStream(stream: H2Stream, code: Code): void {
    this.out.reset(stream.id, code);
    stream.lose(code, Ending.resetByUs);
    this.spend(Cost.reset, 'resets');
  }

  /** False: that was too much, and the connection is over. */
  spend(cost: Cost, words: string): boolean {
    if (cost !== Cost.reset && this.out.spendEarned()) return true;
    if (this.#owner.spend(cost)) return true;
    this.fail(Code.enhanceYourCalm, `too many ${words}`);
    return false;
  }

  /** A stream that was begun after we have said which was the last one: it is not looked at. */
  isBehindLast(id: number): boolean {
    return this.deaf && id > this.lastId && (id & 1) === 1;
  }

  /** A stream that nobody has begun yet. */
  isIdle(id: number): boolean {
    if (this.#server) return (id & 1) === 0 || (id > this.lastId && !this.deaf);
    return (id & 1) === 0 || id > this.lastOwnId;
  }

  // ---- FrameSink

  unreadable(code: Code, words: string): void {
    this.fail(code, words);
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): boolean {
    if (!this.mayCome(type, flags, id)) return false;
    if (type === FrameType.headers) this.#fields.headers(flags, id, bytes, from, to);
    else if (type === FrameType.continuation) this.#fields.continuation(flags, bytes, from, to);
    else this.#control.take(type, flags, id, bytes, from, to);
    return !this.stopped;
  }

  /** SETTINGS first, and no other frame within a header block. */
  mayCome(type: number, flags: number, id: number): boolean {
    if (!this.#settled) {
      if (type !== FrameType.settings || (flags & Flag.ack) !== 0) this.fail(Code.protocol, 'no SETTINGS first');
      this.#settled = true;
    }
    const within = this.openBlock;
    if (within !== 0 ? type !== FrameType.continuation || id !== within : type === FrameType.continuation)
      this.fail(Code.protocol, 'a frame within a header block, or a CONTINUATION without one');
    return !this.stopped;
  }

  /** A field list has been decoded. `itself`: its stream was made to depend on itself. */
  fieldsCame(id: number, ended: boolean, itself: boolean): void {
    const { fields, overflowed } = this.#fields.decoder;
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#begin(id, ended, itself);
    if (itself) return this.failStream(stream, Code.protocol);
    if (stream.remoteEnded) return this.failStream(stream, Code.streamClosed);
    stream.receiveFields(fields, overflowed, ended);
  }

  #begin(id: number, ended: boolean, itself: boolean): void {
    const { fields, overflowed } = this.#fields.decoder;
    if (this.isBehindLast(id)) return;
    if (!this.isIdle(id)) return this.late(id);
    if (!this.#server || (id & 1) === 0) return this.fail(Code.protocol, 'a stream that is not the peer’s to begin');
    this.lastId = id;
    if (!itself) return this.#owner.opened(id, fields, overflowed, ended);
    this.refuse(id, Code.protocol);
    this.spend(Cost.reset, 'resets');
  }

  /** HEADERS or DATA of a stream that is closed. */
  late(id: number): void {
    judgeLateFrame(this, id, this.#closed.endingOf(id));
  }

  dataBegins(id: number, flags: number, length: number, padding: number): boolean {
    this.data.begin(id, flags, length, padding);
    return !this.stopped;
  }

  dataComes(bytes: Buffer): boolean {
    this.data.take(bytes);
    return !this.stopped;
  }

  dataEnds(): boolean {
    this.data.end();
    return !this.stopped;
  }

  // ---- writing

  #written(): void {
    if (this.out.written()) for (const stream of this.streams.values()) stream.uncongested();
    this.#owner.written();
    if (!this.#paused || this.out.writer.unsent > READ_BELOW / 2) return;
    this.#paused = false;
    this.#socket.resume();
  }
}
