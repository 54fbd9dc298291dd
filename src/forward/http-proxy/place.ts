// One of the connections to the app that requests through the package may have at the same time. Node's agent opens and keeps
// the sockets; who is next, the line of the pool says, by which clients take turns.

import type { Borrower, Member } from '../borrower.ts';
import type { Pool } from '../pool.ts';
import type { Transport } from '../transport.ts';
import { type CallOptions, ProxyCall, type Taken } from './call.ts';

/** How requests are started: on a connection that is kept, and on one of its own. */
export type Starts = { readonly kept: CallOptions; readonly fresh: CallOptions };

export class Place implements Member<Transport>, Taken {
  room = 1;
  holder: Borrower<Transport> | undefined = undefined;
  readonly #pool: Pool<Transport, Place>;
  readonly #starts: Starts;

  constructor(pool: Pool<Transport, Place>, starts: Starts) {
    this.#pool = pool;
    this.#starts = starts;
  }

  suits(): boolean {
    return true;
  }

  transport({ waited }: Borrower<Transport>): ProxyCall {
    return new ProxyCall(this, waited ? this.#starts.fresh : this.#starts.kept);
  }

  take(): void {
    this.room = 0;
  }

  /** What it was lent for is over. */
  free(): void {
    this.room = 1;
    this.#pool.offer(this);
  }

  /** Called where it is idle; one that is lent is closed when it is free. */
  close(): void {
    if (this.room === 0) return;
    this.room = 0;
    this.#pool.left(this);
  }
}
