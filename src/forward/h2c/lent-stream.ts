// What a stream of a session is beside the messages on it: who borrowed it, and whether what it has given of an answer is
// still to be settled, which is done once for all that came together.

import type { Borrower } from '../borrower.ts';
import type { Receiver, Transport } from '../transport.ts';
import type { AppSession } from './session.ts';

export abstract class LentStream {
  readonly borrower: Borrower<Transport>;
  protected readonly session: AppSession;
  protected receiver: Receiver | undefined = undefined;
  #unsettled = false;

  constructor(session: AppSession, borrower: Borrower<Transport>) {
    this.session = session;
    this.borrower = borrower;
  }

  protected settleLater(): void {
    if (this.#unsettled) return;
    this.#unsettled = true;
    this.session.unsettled.add(this);
  }

  /** All that one read brought, or that was held, has been given. */
  settle(): void {
    if (!this.#unsettled) return;
    this.#unsettled = false;
    try {
      this.receiver?.settle();
    } catch (error) {
      this.crashed(error);
    }
  }

  abstract crashed(error: unknown): void;
}

/** The streams of a session that have given something of an answer in this read. */
export class Unsettled {
  readonly #streams: LentStream[] = [];

  add(stream: LentStream): void {
    this.#streams.push(stream);
  }

  /** All that has come is read. */
  settle(): void {
    for (let i = 0; i < this.#streams.length; i++) (this.#streams[i] as LentStream).settle();
    this.#streams.length = 0;
  }
}
