// Whether the client is still there: while a request is in flight, nothing may tell that it has gone, for it waits, and so do
// we. A ping tells. It keeps no timer; the connection asks it.

import type { FrameWriter } from '../../http/h2/frame-writer.ts';

/** The first byte tells this ping from that of the departure. */
const PING = Buffer.alloc(8, 0);

export class Probe {
  readonly #everyMs: number;
  readonly #writer: FrameWriter;
  /** When expire() is due. */
  deadlineMs = Number.POSITIVE_INFINITY;
  /** A ping was sent, and nothing has come since. */
  #unheard = false;

  constructor(everyMs: number, writer: FrameWriter) {
    this.#everyMs = everyMs;
    this.#writer = writer;
  }

  /** From now on there is something in flight. */
  start(nowMs: number): void {
    this.#unheard = false;
    this.deadlineMs = nowMs + this.#everyMs;
  }

  /** The client has sent something, or taken some of what our ping stands behind. */
  heard(): void {
    this.#unheard = false;
  }

  /** False: it is gone. */
  expire(nowMs: number): boolean {
    if (this.#unheard) return false;
    this.start(nowMs);
    this.#unheard = true;
    this.#writer.ping(0, PING, 0);
    return true;
  }
}
