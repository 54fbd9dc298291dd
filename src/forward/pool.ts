// What is lent to exchanges: connections or sessions to the app, up to a number, the last used first, so that a burst's
// surplus ages and goes. Whoever finds none waits in line, for no longer than the connect time-out; a client with more than
// its share has to give back what it does not move while others wait. It never reads or writes a message; when an idle
// member goes, the member says.

import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Timed } from '../net/deadlines.ts';
import type { Borrower, Member } from './borrower.ts';
import { Line } from './line.ts';
import { type ShareOptions, Shares } from './shares.ts';
import type { ForwarderOptions } from './upstream.ts';

export type PoolOptions<T, M extends Member<T>> = Pick<
  ForwarderOptions,
  'clock' | 'crashed' | 'deadlines' | 'limits'
> & {
  readonly maxMembers: number;
  /** Opens one, for that borrower; with room at once, or with none until it is offered. */
  readonly dial: (pool: Pool<T, M>, borrower: Borrower<T>) => M;
  /** Undefined: shares are not counted. */
  readonly share?: ShareOptions | undefined;
};

/** Members for each of the number that is allowed, with those that were retired and still carry something. */
const MOST = 4;

const NOBODY_FULL = (): boolean => false;

export class Pool<T, M extends Member<T>> implements Timed {
  readonly #options: PoolOptions<T, M>;
  readonly #members = new Set<M>();
  /** Those with room; the last is used next. */
  readonly #free: M[] = [];
  readonly #line = new Line<Borrower<T>>();
  readonly #shares: Shares | undefined;
  /** Dialled, and without room until it is open; one at a time. */
  #opening: M | undefined = undefined;
  /** They take no more exchanges, and still carry some. */
  readonly #retired = new Set<M>();
  #closing = false;

  constructor(options: PoolOptions<T, M>) {
    this.#options = options;
    this.#shares = options.share && new Shares(options.maxMembers, options.share);
    options.deadlines.add(this);
  }

  /** Lends, now or when there is something to lend. */
  borrow(borrower: Borrower<T>): void {
    const free = this.#barred(borrower) ? undefined : this.#roomy();
    if (free?.suits(borrower) === true) return this.#lend(free, borrower);
    // What is free and does not suit makes room for what does.
    if (free !== undefined && this.#members.size >= this.#options.maxMembers) this.#free[0]?.close();
    const dialled = this.#barred(borrower) ? undefined : this.#dial(borrower);
    if (dialled !== undefined && dialled.room > 0) return this.#lend(dialled, borrower);
    const deadlineMs = this.#options.clock() + this.#options.limits.connectTimeoutMs;
    this.#line.add(borrower, deadlineMs, borrower.waited);
  }

  /** Takes a borrower out of the line. */
  forget(borrower: Borrower<T>): void {
    if (this.#line.length > 0) this.#line.forget(borrower);
  }

  /** It has something of a member that carries many. */
  begun(borrower: Borrower<T>): void {
    this.#shares?.take(borrower.client);
    if (borrower.lasting) this.lasts(borrower);
  }

  ended(borrower: Borrower<T>): void {
    this.#shares?.giveBack(borrower.client);
    if (borrower.lasts) this.#shares?.lastNoMore(borrower.client);
    borrower.lasts = false;
  }

  /** What it has may last for ever from now on. False: its client has as much of that as it may. */
  lasts(borrower: Borrower<T>): boolean {
    if (this.#shares === undefined || borrower.lasts) return true;
    borrower.lasts = borrower.lasting || this.#shares.mayLast(borrower.client);
    if (borrower.lasts) this.#shares.last(borrower.client);
    return borrower.lasts;
  }

  /** What a member can carry, and so the others. */
  sized(streams: number): void {
    this.#shares?.resize(streams * this.#options.maxMembers);
  }

  /** A member has room: it is open now, or an exchange on it is complete. */
  offer(member: M): void {
    if (this.#opening === member) this.#opening = undefined;
    this.#givenBack(member);
    this.#fill(member);
    // Who waits is served to the end.
    if (this.#closing) member.close();
  }

  /** It takes no more exchanges. Those in flight end when they end; another one may be opened in its place. */
  retire(member: M): void {
    if (!this.#members.has(member)) return;
    this.#retired.add(member);
    this.left(member);
  }

  /** Whether no other one may be opened in place of one that still carries something. */
  get crowded(): boolean {
    return this.#members.size + this.#retired.size >= MOST * this.#options.maxMembers;
  }

  /** It is closed. `rejection`: why it never opened. */
  left(member: M, rejection?: Rejection): void {
    if (!this.#members.delete(member)) return void this.#retired.delete(member);
    this.#unfree(member);
    this.#givenBack(member);
    if (this.#opening === member) this.#opening = undefined;
    // With another one open, whoever waits goes on waiting for that.
    if (rejection !== undefined && this.#members.size === 0) return this.#denyAll(rejection);
    this.#serve();
  }

  /** Closes what is idle; members that carry something close after it. */
  close(): void {
    this.#closing = true;
    for (const member of [...this.#members]) member.close();
  }

  // ---- Timed: the line

  get deadlineMs(): number {
    return this.#line.length === 0 ? Number.POSITIVE_INFINITY : 0;
  }

  expire(): void {
    for (const borrower of this.#line.late(this.#options.clock())) {
      this.#shares?.refused(borrower.client);
      borrower.denied(REJECTIONS.upstream_busy);
    }
    this.#reclaim();
  }

  crashed(error: unknown): void {
    this.#options.crashed(error);
  }

  // ----

  #lend(member: M, borrower: Borrower<T>): void {
    this.#unfree(member);
    this.#give(member, borrower);
    if (member.room > 0) this.#keep(member);
  }

  #give(member: M, borrower: Borrower<T>): void {
    if (this.#shares !== undefined && member.holders === undefined) {
      this.begun(borrower);
      member.holder = borrower;
    }
    borrower.lend(member.transport(borrower));
    // It was not needed any more.
    if (member.room > 0) this.#givenBack(member);
  }

  #givenBack(member: M): void {
    const { holder } = member;
    if (holder === undefined) return;
    member.holder = undefined;
    this.ended(holder);
  }

  /** Whether it would be one too many of those that may last for ever. */
  readonly #barred = (borrower: Borrower<T>): boolean =>
    borrower.lasting && this.#shares?.mayLast(borrower.client) === false;

  /** Whose turn it is. */
  get #next(): Borrower<T> | undefined {
    return this.#line.next(this.#shares?.full ?? NOBODY_FULL, this.#barred);
  }

  /** As long as somebody waits who has less than his share: what those who have theirs do not move. */
  #reclaim(): void {
    const shares = this.#shares;
    if (shares === undefined || this.#line.length === 0) return;
    for (const { holder, holders } of [...this.#members]) {
      const all = holders ?? (holder === undefined ? [] : [holder]);
      for (const one of [...all]) {
        const next = this.#next;
        if (next === undefined || shares.full(next.client)) return;
        // What it gives back is lent to who is next within the call.
        if (shares.full(one.client)) one.yield();
      }
    }
  }

  /** Lends it to those who wait, in their order. */
  #fill(member: M): void {
    while (member.room > 0) {
      const borrower = this.#next;
      if (borrower === undefined) break;
      // Another one is dialled in its place, when it has left.
      if (!member.suits(borrower)) return member.close();
      this.#line.served(borrower);
      this.#give(member, borrower);
    }
    if (member.room > 0) this.#keep(member);
    // One more, where this one was not enough.
    else this.#serve();
  }

  /** The one that is used next. What has lost its room comes back with offer(). */
  #roomy(): M | undefined {
    while (this.#free.at(-1)?.room === 0) this.#free.pop();
    return this.#free.at(-1);
  }

  #keep(member: M): void {
    if (this.#free.at(-1) !== member && !this.#free.includes(member)) this.#free.push(member);
  }

  #serve(): void {
    for (let borrower = this.#next; borrower !== undefined; borrower = this.#next) {
      const member = this.#dial(borrower);
      if (member === undefined || member.room === 0) return;
      this.#fill(member);
    }
  }

  #dial(borrower: Borrower<T>): M | undefined {
    if (this.#opening !== undefined || this.#members.size >= this.#options.maxMembers || this.crowded) return undefined;
    const member = this.#options.dial(this, borrower);
    this.#members.add(member);
    if (member.room === 0) this.#opening = member;
    return member;
  }

  #denyAll(rejection: Rejection): void {
    for (const borrower of this.#line.late(Number.POSITIVE_INFINITY)) borrower.denied(rejection);
  }

  #unfree(member: M): void {
    if (this.#free.at(-1) === member) return void this.#free.pop();
    const at = this.#free.lastIndexOf(member);
    if (at >= 0) this.#free.splice(at, 1);
  }
}
