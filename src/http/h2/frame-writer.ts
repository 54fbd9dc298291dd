// What all streams of a connection produce in one turn of the event loop leaves in one write: a few TLS records and one
// system call. Frames are written into a buffer that the next write uses again; the bytes of bodies are copied into it, so
// that nothing is kept of whoever gave them. Connections that have something to say are flushed together, after everything
// that was ready has been read (in one run beside nginx, this is most of what makes HTTP/2 cheaper than HTTP/1.1).

import type { Duplex } from 'node:stream';
import type { Account } from '../../net/budget.ts';
import { Spares } from '../../net/spares.ts';
import { Flag, FrameType, HEAD_BYTES, type Setting } from './frames.ts';

const SMALL = 16_384;
const LARGE = 131_072;
/** So much is written at once, before the turn is over. */
const WRITE_AT = 65_536;
/** Up to this it is cheaper to move what has been gathered into a larger buffer than to write it by itself. */
const MOVE_BYTES = 2048;
const MAX_SPARE_SMALL = 64;
const MAX_SPARE_LARGE = 32;

const spareSmall = new Spares<Buffer>(MAX_SPARE_SMALL);
const spareLarge = new Spares<Buffer>(MAX_SPARE_LARGE);

function borrow(bytes: number): Buffer {
  // The first of a large body: more will follow.
  if (bytes > SMALL / 2)
    return bytes > LARGE ? Buffer.allocUnsafeSlow(bytes) : (spareLarge.take() ?? Buffer.allocUnsafeSlow(LARGE));
  return spareSmall.take() ?? Buffer.allocUnsafeSlow(SMALL);
}

function giveBack(buffer: Buffer): void {
  if (buffer.length === SMALL) spareSmall.keep(buffer);
  else if (buffer.length === LARGE) spareLarge.keep(buffer);
}

const unflushed: FrameWriter[] = [];

function flushAll(): void {
  for (let i = 0; i < unflushed.length; i++) (unflushed[i] as FrameWriter).flushNow();
  unflushed.length = 0;
}

export interface WriterOwner {
  /** The socket has taken what was given to it. */
  written(): void;
  crashed(error: unknown): void;
}

export class FrameWriter {
  readonly #socket: Duplex;
  readonly #owner: WriterOwner;
  #buffer: Buffer | undefined = undefined;
  #at = 0;
  #marked = false;
  /** Buffers that the socket has not taken yet, each with the number of its bytes. */
  readonly #given: (Buffer | number)[] = [];
  #givenBytes = 0;
  /** To whom these are counted, until close(). */
  #account: Account | undefined;
  /** The frame of a stream on which its end can still be marked, and where its flags are. */
  #endable = 0;
  #flagsAt = 0;
  readonly #onWritten = (): void => this.#written();

  constructor(socket: Duplex, owner: WriterOwner, account: Account) {
    this.#socket = socket;
    this.#account = account;
    this.#owner = owner;
  }

  /** Bytes that the socket has not taken. */
  get unsent(): number {
    return this.#givenBytes + this.#at;
  }

  /** Room for that many bytes in one piece, at `at` of the buffer. */
  reserve(bytes: number): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined) {
      this.#buffer = borrow(bytes);
    } else if (buffer.length - this.#at < bytes) {
      this.#exchangeBuffer(buffer, bytes);
    }
    return this.#buffer as Buffer;
  }

  get at(): number {
    return this.#at;
  }

  #exchangeBuffer(buffer: Buffer, bytes: number): void {
    if (this.#at > MOVE_BYTES || buffer.length === LARGE) {
      this.write();
      this.#buffer = borrow(bytes);
      return;
    }
    const larger = borrow(Math.max(bytes + this.#at, LARGE));
    buffer.copy(larger, 0, 0, this.#at);
    giveBack(buffer);
    this.#buffer = larger;
  }

  /** A frame whose payload has been written into the reserved room behind its head. */
  finish(type: number, flags: number, id: number, length: number): void {
    const buffer = this.#buffer as Buffer;
    const at = this.#at;
    buffer[at] = length >>> 16;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    putUint32(buffer, at + 5, id);
    this.#at = at + HEAD_BYTES + length;
    if (type === FrameType.data || type === FrameType.headers) {
      this.#endable = id;
      this.#flagsAt = at + 4;
    }
    this.#mark();
  }

  /** Bytes that are no frame: the preface. */
  raw(bytes: Buffer): void {
    bytes.copy(this.reserve(bytes.length), this.#at);
    this.#at += bytes.length;
    this.#mark();
  }

  data(id: number, bytes: Buffer, from: number, to: number): void {
    const length = to - from;
    const buffer = this.reserve(HEAD_BYTES + length);
    bytes.copy(buffer, this.#at + HEAD_BYTES, from, to);
    this.finish(FrameType.data, 0, id, length);
    if (this.#at >= WRITE_AT && this.#givenBytes === 0) this.write();
  }

  /** Ends our direction of a stream: on its last frame, where that has not been written, else with an empty one. */
  end(id: number): void {
    const buffer = this.#buffer;
    if (this.#endable === id && buffer !== undefined) {
      buffer[this.#flagsAt] = (buffer[this.#flagsAt] as number) | Flag.endStream;
      this.#endable = 0;
      return;
    }
    this.reserve(HEAD_BYTES);
    this.finish(FrameType.data, Flag.endStream, id, 0);
  }

  /** A frame of one number: RST_STREAM and WINDOW_UPDATE. */
  number(type: number, id: number, value: number): void {
    const buffer = this.reserve(HEAD_BYTES + 4);
    putUint32(buffer, this.#at + HEAD_BYTES, value);
    this.finish(type, 0, id, 4);
  }

  /** SETTINGS; without values, the acknowledgement. */
  settings(
    values: readonly (readonly [id: (typeof Setting)[keyof typeof Setting], value: number])[] | undefined,
  ): void {
    const buffer = this.reserve(HEAD_BYTES + 6 * (values?.length ?? 0));
    let at = this.#at + HEAD_BYTES;
    for (const [id, value] of values ?? []) {
      buffer[at] = 0;
      buffer[at + 1] = id;
      putUint32(buffer, at + 2, value);
      at += 6;
    }
    this.finish(FrameType.settings, values === undefined ? Flag.ack : 0, 0, at - this.#at - HEAD_BYTES);
  }

  /** Eight bytes of `payload`, from `from`. */
  ping(flags: number, payload: Uint8Array, from: number): void {
    const buffer = this.reserve(HEAD_BYTES + 8);
    for (let i = 0; i < 8; i++) buffer[this.#at + HEAD_BYTES + i] = payload[from + i] as number;
    this.finish(FrameType.ping, flags, 0, 8);
  }

  goaway(lastId: number, code: number): void {
    const buffer = this.reserve(HEAD_BYTES + 8);
    putUint32(buffer, this.#at + HEAD_BYTES, lastId);
    putUint32(buffer, this.#at + HEAD_BYTES + 4, code);
    this.finish(FrameType.goaway, 0, 0, 8);
  }

  /** Hands over what has been gathered. */
  write(): void {
    const buffer = this.#buffer;
    if (buffer === undefined || this.#at === 0) return;
    const length = this.#at;
    this.#buffer = undefined;
    this.#at = 0;
    this.#endable = 0;
    this.#given.push(buffer, length);
    this.#givenBytes += length;
    this.#account?.count(length);
    this.#socket.write(length === buffer.length ? buffer : buffer.subarray(0, length), this.#onWritten);
  }

  /** Called at the end of the turn; nothing of it may throw into those of others. */
  flushNow(): void {
    this.#marked = false;
    // While the socket is busy, what is said gathers: of several writes that wait, Node's TLS would make one by copying them.
    if (this.#givenBytes > 0) return;
    try {
      this.write();
    } catch (error) {
      this.#owner.crashed(error);
    }
  }

  /** The connection is gone: what was written is nobody's any more. */
  close(): void {
    this.#account?.count(-this.#givenBytes);
    this.#account = undefined;
  }

  #mark(): void {
    if (this.#marked) return;
    this.#marked = true;
    if (unflushed.push(this) === 1) setImmediate(flushAll);
  }

  #written(): void {
    giveBack(this.#given.shift() as Buffer);
    const bytes = this.#given.shift() as number;
    this.#givenBytes -= bytes;
    this.#account?.count(-bytes);
    try {
      this.#owner.written();
      if (this.#givenBytes === 0) this.write();
    } catch (error) {
      this.#owner.crashed(error);
    }
  }
}

export function putUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
