// What is lent, and to whom: the shapes that a pool deals with.

import type { Rejection } from '../errors.ts';
import type { Waiter } from './line.ts';

/** Who wants a transport. */
export interface Borrower<T> extends Waiter {
  /** What it gets may become a tunnel, so that nothing may have been carried on it. */
  readonly upgrades: boolean;
  /** It lost one that the app had closed: it stands first in line, and trusts none that was used. */
  readonly waited: boolean;
  /** Silence is normal for it, so that it may last for ever. */
  readonly lasting: boolean;
  /** It is counted as such; the pool's to set. */
  lasts: boolean;
  /** False: it does not need it any more. */
  lend(transport: T): boolean;
  /** Nothing became free within the connect time-out, or the app cannot be reached. */
  denied(rejection: Rejection): void;
  /** Others wait, and its client has its share: where that is to blame for how long it takes, it ends. */
  yield(): void;
}

/** One connection or session. */
export interface Member<T> {
  /** How many more exchanges it takes now: 0 when busy, closing, or not open yet. */
  readonly room: number;
  /** Whether it will do for this borrower. */
  suits(borrower: Borrower<T>): boolean;
  /** What carries the next exchange; it takes up room when that is sent. */
  transport(borrower: Borrower<T>): T;
  /** Takes no new exchange and ends after those in flight. */
  close(): void;
  /** Who has it, where it carries one exchange; the pool's to set. */
  holder?: Borrower<T> | undefined;
  /** Who has something of it, where it carries many; it tells the pool of each with begun() and ended(). */
  readonly holders?: Iterable<Borrower<T>>;
}
