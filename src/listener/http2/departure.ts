// How a connection of HTTP/2 ends: with GOAWAY in two steps (RFC 9113 section 6.8), so that no request is lost that was on
// its way, and then with a socket that is closed within a short time, whatever the client does.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../exchange.ts';
import { Code, MAX_WINDOW } from '../../http/h2/frames.ts';
import type { H2Session } from '../../http/h2/session.ts';

/** The first byte tells this ping from others. */
const PING = Buffer.alloc(8, 1);
export const DEPARTURE_MARK = 1;

export type DepartureOptions = {
  readonly clock: Clock;
  readonly lingerMs: number;
  /** Exchanges that are not finished. */
  readonly inFlight: () => number;
  /** Until when the socket has to take something more. */
  readonly takingMs: () => number;
};

export class Departure {
  readonly #socket: Duplex;
  readonly #session: H2Session;
  readonly #options: DepartureOptions;
  #told = false;
  #clientLeaves = false;
  /** The client may begin no more streams. */
  #last = false;
  #closing = false;
  /** Something may still have to be taken. */
  #giving = false;
  deadlineMs = Number.POSITIVE_INFINITY;

  constructor(socket: Duplex, session: H2Session, options: DepartureOptions) {
    this.#socket = socket;
    this.#session = session;
    this.#options = options;
  }

  get begun(): boolean {
    return this.#told || this.#closing;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Tells the client to go; what it has begun until it heard of that is served. */
  begin(): void {
    if (this.begun) return;
    this.#told = true;
    this.#wait();
    const { writer } = this.#session.out;
    writer.goaway(MAX_WINDOW, Code.none);
    writer.ping(0, PING, 0);
  }

  /** The client has heard of it, or had the time to. */
  heard(): void {
    if (!this.#told || this.#last) return;
    this.#last = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#session.deaf = true;
    this.#session.out.writer.goaway(this.#session.lastId, Code.none);
    this.closeIfDone();
  }

  clientLeaves(): void {
    this.#clientLeaves = true;
    this.closeIfDone();
  }

  closeIfDone(): void {
    if (this.#options.inFlight() === 0 && (this.#last || this.#clientLeaves)) this.close(true);
  }

  /** Ends our direction, and drops what still comes, so that the client can read why. `whole`: and all that it was answered. */
  close(whole = false): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#giving = whole;
    this.#wait();
    if (whole) this.deadlineMs = this.#options.takingMs();
    this.#session.stopped = true;
    this.#session.out.writer.write();
    this.#socket.end(() => {
      this.#giving = false;
      this.#wait();
    });
    this.#socket.resume();
  }

  /** Too long has been waited. */
  expire(): void {
    if (!this.#closing) return this.heard();
    const takingMs = this.#giving ? this.#options.takingMs() : 0;
    if (takingMs > this.deadlineMs) this.deadlineMs = takingMs;
    else this.#socket.destroy();
  }

  #wait(): void {
    this.deadlineMs = this.#options.clock() + this.#options.lingerMs;
  }
}
