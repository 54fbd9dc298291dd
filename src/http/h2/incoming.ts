// The body that comes on one stream: given on while its taker is not behind, else held in copies. Its window, and its part
// of the connection's, are given back as the bytes are taken.

import { ByteQueue } from './byte-queue.ts';
import { FIRST_WINDOW } from './frames.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { H2Session } from './session.ts';
import type { H2Stream } from './stream.ts';

export interface BodyTaker {
  /** Bytes of the body, in order, while it is not paused; good during the call only. */
  body(chunk: Buffer): void;
  /** The peer's direction is over, and all of its body was given. */
  bodyEnded(): void;
  /** More is held for its client than may ever be: this has to end. */
  exceeded(): void;
  /** One of its calls has thrown. */
  crashed(error: unknown): void;
}

/** Smaller pieces are gathered: each costs its taker a write. */
const GATHER_BYTES = 4096;
/** How much a taker may be behind at the most, once it has shown that it is fast. */
const LARGEST_WINDOW = 1 << 20;

export class Incoming {
  readonly #session: H2Session;
  readonly #stream: H2Stream;
  readonly #taker: BodyTaker;
  readonly #window = new ReceiveWindow(FIRST_WINDOW);
  #held: ByteQueue | undefined = undefined;
  /** Given on while the taker was behind. */
  #untaken = 0;
  #endGiven = false;
  paused = true;

  constructor(session: H2Session, stream: H2Stream, taker: BodyTaker) {
    this.#session = session;
    this.#stream = stream;
    this.#taker = taker;
  }

  /** A frame that counts for the window, of which padding is nobody's. False: it is above it. */
  count(bytes: number, padding: number): boolean {
    const fits = this.#window.receive(bytes);
    this.#taken(padding);
    return fits;
  }

  /** `last`: the end of the body comes with it. */
  receive(chunk: Buffer, last: boolean): void {
    const waits = chunk.length < GATHER_BYTES && !last;
    if (this.paused || this.#held !== undefined || waits) this.#hold(chunk);
    else this.#give(chunk);
  }

  #hold(chunk: Buffer): void {
    this.#held ??= new ByteQueue(this.#stream.account);
    this.#held.append(chunk);
    if (!this.paused) this.#session.gather(this.#stream);
    if (this.#stream.account.exceeded) this.#taker.exceeded();
  }

  resume(): void {
    this.paused = false;
    const untaken = this.#untaken;
    this.#untaken = 0;
    this.#taken(untaken);
    this.deliver();
  }

  get heldBytes(): number {
    return this.#held?.length ?? 0;
  }

  /** Gives on what is held, as far as it is wanted, and the end behind it. */
  deliver(): void {
    const held = this.#held;
    while (held !== undefined && !this.paused && !this.#stream.closed) {
      const chunk = held.take(LARGEST_WINDOW);
      if (chunk === undefined) break;
      this.#give(chunk);
    }
    if (this.paused || this.#stream.closed) return;
    this.#held = undefined;
    if (!this.#stream.remoteEnded || this.#endGiven) return;
    this.#endGiven = true;
    this.#tell(undefined);
    this.#stream.bodyEnded();
  }

  /** A piece, or the end. */
  #tell(chunk: Buffer | undefined): void {
    try {
      if (chunk === undefined) this.#taker.bodyEnded();
      else this.#taker.body(chunk);
    } catch (error) {
      this.#taker.crashed(error);
    }
  }

  #give(chunk: Buffer): void {
    this.#tell(chunk);
    if (this.paused) this.#untaken += chunk.length;
    else this.#taken(chunk.length);
  }

  #taken(bytes: number): void {
    if (bytes === 0) return;
    this.#session.data.taken(bytes);
    if (this.#stream.remoteEnded || this.#stream.closed) return;
    const opened = this.#window.takeAndGrow(bytes, this.#session.data.window, this.#stream.account, LARGEST_WINDOW);
    if (opened > 0) this.#session.out.openWindow(this.#stream.id, opened);
  }

  /** What is held is nobody's any more. */
  drop(): void {
    const held = this.#held?.length ?? 0;
    const untaken = this.#untaken;
    this.#held?.clear();
    this.#held = undefined;
    this.#untaken = 0;
    this.#session.data.taken(untaken + held);
  }

  close(): void {
    this.drop();
    this.#window.release(this.#session.data.window, this.#stream.account);
  }
}
