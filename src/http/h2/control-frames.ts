// The frames of HTTP/2 that carry neither fields nor a body (RFC 9113 sections 6.3 to 6.9, RFC 9218 section 7): what is
// wrong with one, and what it does. Their number is bounded by what the session's owner lets pass.

import { Ending } from './closed-streams.ts';
import { Code, Flag, FrameType, MAX_WINDOW, readUint31, readUint32 } from './frames.ts';
import { urgencyOf } from './send-queue.ts';
import type { H2Session } from './session.ts';
import { Cost, type SessionOwner } from './session-owner.ts';

const PRIORITY_BYTES = 5;
const PING_BYTES = 8;

export class ControlFrames {
  readonly #session: H2Session;
  readonly #owner: SessionOwner;

  constructor(session: H2Session, owner: SessionOwner) {
    this.#session = session;
    this.#owner = owner;
  }

  take(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case FrameType.windowUpdate:
        return this.#windowUpdate(id, bytes, from, to);
      case FrameType.settings:
        return this.#settings(flags, id, bytes, from, to);
      case FrameType.ping:
        return this.#ping(flags, id, bytes, from, to);
      case FrameType.rstStream:
        return this.#reset(id, bytes, from, to);
      case FrameType.priority:
        return this.#priority(id, bytes, from, to);
      case FrameType.goaway:
        return this.#goaway(id, bytes, from, to);
      case FrameType.pushPromise:
        return this.#session.fail(Code.protocol, 'a PUSH_PROMISE');
      case FrameType.priorityUpdate:
        return this.#priorityUpdate(id, bytes, from, to);
      default:
        // Section 5.5: unknown types are ignored.
        return void this.#session.spend(Cost.idle, 'unknown frames');
    }
  }

  #windowUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (to - from !== 4) return session.fail(Code.frameSize, 'a WINDOW_UPDATE of another size');
    if (id !== 0 && session.isIdle(id)) return session.fail(Code.protocol, 'a window of a stream that has not begun');
    const more = readUint31(bytes, from);
    if (!session.spend(Cost.idle, 'window updates')) return;
    if (id === 0) {
      if (more === 0) return session.fail(Code.protocol, 'a WINDOW_UPDATE of 0');
      if (!session.out.widen(more)) return session.fail(Code.flowControl, 'a window above 2^31-1');
      return session.out.pump();
    }
    const stream = session.streams.get(id);
    if (stream === undefined) return;
    stream.sendWindow += more;
    if (more === 0) return session.failStream(stream, Code.protocol);
    if (stream.sendWindow > MAX_WINDOW) return session.failStream(stream, Code.flowControl);
    stream.wake();
    session.out.pump();
  }

  #settings(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (id !== 0) return session.fail(Code.protocol, 'SETTINGS of a stream');
    if ((flags & Flag.ack) !== 0) {
      if (to !== from) return session.fail(Code.frameSize, 'an acknowledgement with values');
      if (session.spend(Cost.idle, 'acknowledgements')) this.#owner.acknowledged?.();
      return;
    }
    if (!session.spend(Cost.answered, 'SETTINGS')) return;
    const before = session.peer.initialWindow;
    const code = session.peer.read(bytes, from, to);
    if (code !== Code.none) return session.fail(code, 'SETTINGS that cannot be');
    session.out.resizeTable(session.peer.tableBytes);
    session.out.writer.settings(undefined);
    this.#changeWindows(session.peer.initialWindow - before);
    if (!session.stopped) this.#owner.settings?.();
  }

  /** Section 6.9.2: the windows of open streams change with the first one, and may come below 0. */
  #changeWindows(more: number): void {
    const session = this.#session;
    if (more === 0) return;
    for (const stream of session.streams.values()) {
      stream.sendWindow += more;
      if (stream.sendWindow > MAX_WINDOW) return session.fail(Code.flowControl, 'a window above 2^31-1');
      if (stream.sendWindow > 0) stream.wake();
      else session.out.queue.delete(stream);
    }
    session.out.pump();
  }

  #ping(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (id !== 0) return session.fail(Code.protocol, 'a PING of a stream');
    if (to - from !== PING_BYTES) return session.fail(Code.frameSize, 'a PING of another size');
    if ((flags & Flag.ack) !== 0) {
      if (session.spend(Cost.idle, 'acknowledgements')) this.#owner.pong?.(bytes[from] as number);
    } else if (session.spend(Cost.answered, 'pings')) {
      session.out.writer.ping(Flag.ack, bytes, from);
    }
  }

  #reset(id: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (to - from !== 4) return session.fail(Code.frameSize, 'a RST_STREAM of another size');
    if (id === 0 || session.isIdle(id)) return session.fail(Code.protocol, 'a reset of no stream');
    const stream = session.streams.get(id);
    // What comes for a stream that is closed may have crossed its end.
    if (stream === undefined) return void session.spend(Cost.idle, 'resets of streams that are closed');
    stream.lose(readUint32(bytes, from) as Code, Ending.resetByPeer);
    // Whether it was answered or not (CVE-2023-44487).
    session.spend(Cost.reset, 'resets');
  }

  /** Read for its form only: RFC 9113 section 5.3 has taken the rest back. */
  #priority(id: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (id === 0) return session.fail(Code.protocol, 'PRIORITY of stream 0');
    const wrongSize = to - from !== PRIORITY_BYTES;
    if (wrongSize || readUint31(bytes, from) === id) {
      const code = wrongSize ? Code.frameSize : Code.protocol;
      const stream = session.streams.get(id);
      if (stream !== undefined) return session.failStream(stream, code);
      if (session.isIdle(id)) return session.fail(code, 'a PRIORITY that cannot be');
    }
    session.spend(Cost.idle, 'priorities');
  }

  #priorityUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (id !== 0) return session.fail(Code.protocol, 'a PRIORITY_UPDATE of a stream');
    if (to - from < 4) return session.fail(Code.frameSize, 'a PRIORITY_UPDATE of another size');
    if (!session.spend(Cost.idle, 'priorities')) return;
    const stream = session.streams.get(readUint31(bytes, from));
    if (stream !== undefined && to - from < 1024) stream.prioritize(urgencyOf(bytes.toString('latin1', from + 4, to)));
  }

  #goaway(id: number, bytes: Buffer, from: number, to: number): void {
    const session = this.#session;
    if (id !== 0) return session.fail(Code.protocol, 'a GOAWAY of a stream');
    if (to - from < 8) return session.fail(Code.frameSize, 'a GOAWAY of another size');
    if (session.spend(Cost.idle, 'GOAWAY')) this.#owner.goaway(readUint31(bytes, from), readUint32(bytes, from + 4));
  }
}
