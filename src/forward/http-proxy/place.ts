// One of the connections to the app that requests through the package may have at the same time. Node's agent opens and keeps
// the sockets; who is next, the line of the pool says, by which clients take turns.

import type { Rejection } from '../../errors.ts';
import type { Borrower, Member } from '../borrower.ts';
import type { Pool } from '../pool.ts';
import type { Transport } from '../transport.ts';

export class Place implements Member<Place> {
  room = 1;
  holder: Borrower<Place> | undefined = undefined;
  readonly #pool: Pool<Place, Place>;

  constructor(pool: Pool<Place, Place>) {
    this.#pool = pool;
  }

  suits(): boolean {
    return true;
  }

  transport(): Place {
    this.room = 0;
    return this;
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

/** Waits for a place on behalf of whoever wants a transport. */
export class PlaceSeeker implements Borrower<Place> {
  readonly client: string;
  readonly clientConnection: object;
  /** Upgrades are carried by wire. */
  readonly upgrades = false;
  readonly waited: boolean;
  readonly lasting: boolean;
  lasts = false;
  readonly #borrower: Borrower<Transport>;
  readonly #call: { start(place: Place): void };

  constructor(borrower: Borrower<Transport>, call: { start(place: Place): void }) {
    this.client = borrower.client;
    this.clientConnection = borrower.clientConnection;
    this.waited = borrower.waited;
    this.lasting = borrower.lasting;
    this.#borrower = borrower;
    this.#call = call;
  }

  lend(place: Place): boolean {
    this.#call.start(place);
    return true;
  }

  denied(rejection: Rejection): void {
    this.#borrower.denied(rejection);
  }

  yield(): void {
    this.#borrower.yield();
  }
}
