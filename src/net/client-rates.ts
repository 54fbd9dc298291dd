// How often each client may ask: a token bucket for each, kept as one number, the time at which it will be full again (the
// generic cell rate algorithm, ITU-T I.371). The table is bounded: who owes least is forgotten for who is new. So nobody
// is refused for what others do, and whoever asks too often stays known, however many others come.

import type { Clock } from '../exchange.ts';
import type { Timed } from './deadlines.ts';

/** `requests` in `periodMs` in the long run, and `burst` at once. */
export type Rate = { readonly requests: number; readonly periodMs: number; readonly burst: number };

/** About 7 MiB of addresses. */
export const MAX_CLIENTS = 65_536;
const FIRST_PLACES = 1024;
/** Of that many, picked at random, the one that owes least makes room. */
const CANDIDATES = 16;
/** How often those that owe nothing any more are let go, and how many in one go: some milliseconds of work. */
const FORGET_MS = 10_000;
const FORGET_AT_ONCE = 2048;
/** A part of one request: sums of times are not exact. */
const TOLERANCE = 1e-3;

export class ClientRates implements Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  /** Requests that the client of the last take() may make at once behind it. */
  left = 0;
  /** Until that client may make one more than `left`. */
  nextMs = 0;
  readonly #clock: Clock;
  #rate: Rate | undefined = undefined;
  #intervalMs = 0;
  #burstMs = 0;
  readonly #places = new Map<string, number>();
  readonly #clients: string[] = [];
  /** By place: when the client's bucket is full again. */
  #fullAtMs = new Float64Array(0);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Clients that are remembered. */
  get size(): number {
    return this.#clients.length;
  }

  get rate(): Rate | undefined {
    return this.#rate;
  }

  /** From now on this holds, and with another rate than before nobody owes anything. Undefined: nothing is remembered. */
  use(rate: Rate | undefined): void {
    const before = this.#rate;
    this.#rate = rate;
    if (rate?.requests === before?.requests && rate?.periodMs === before?.periodMs && rate?.burst === before?.burst)
      return;
    this.#clear();
    if (rate === undefined) return;
    this.#intervalMs = rate.periodMs / rate.requests;
    this.#burstMs = this.#intervalMs * rate.burst;
  }

  /** A request of that client. Above 0 it is one too many, and costs nothing: then the next may come in so many milliseconds. */
  take(client: string, nowMs: number): number {
    const place = this.#places.get(client);
    const owesMs = place === undefined ? 0 : Math.max(0, (this.#fullAtMs[place] as number) - nowMs);
    const roomMs = this.#burstMs - owesMs;
    const interval = this.#intervalMs;
    const left = Math.floor(roomMs / interval + TOLERANCE) - 1;
    if (left < 0) {
      this.left = 0;
      this.nextMs = interval - roomMs;
      return this.nextMs;
    }
    this.left = left;
    this.nextMs = Math.max(0, (left + 2) * interval - roomMs);
    const fullAtMs = nowMs + owesMs + interval;
    if (place === undefined) this.#enter(client, fullAtMs, nowMs);
    else this.#fullAtMs[place] = fullAtMs;
    return 0;
  }

  // ---- Timed

  expire(): void {
    const nowMs = this.#clock();
    let forgotten = 0;
    for (let place = this.size - 1; place >= 0 && forgotten < FORGET_AT_ONCE; place--) {
      if ((this.#fullAtMs[place] as number) > nowMs) continue;
      this.#remove(place);
      forgotten++;
    }
    // The rest goes at the next sweep.
    const nextMs = forgotten === FORGET_AT_ONCE ? nowMs : nowMs + FORGET_MS;
    this.deadlineMs = this.size === 0 ? Number.POSITIVE_INFINITY : nextMs;
  }

  crashed(): void {
    this.#clear();
  }

  // ---- places

  #enter(client: string, fullAtMs: number, nowMs: number): void {
    if (this.size === MAX_CLIENTS) this.#remove(this.#leastOwing(nowMs));
    const place = this.size;
    if (place === this.#fullAtMs.length) this.#grow();
    const known = ownCopy(client);
    this.#clients.push(known);
    this.#places.set(known, place);
    this.#fullAtMs[place] = fullAtMs;
    if (place === 0) this.deadlineMs = Math.min(this.deadlineMs, nowMs + FORGET_MS);
  }

  #leastOwing(nowMs: number): number {
    let least = Math.floor(Math.random() * MAX_CLIENTS);
    for (let i = 1; i < CANDIDATES && (this.#fullAtMs[least] as number) > nowMs; i++) {
      const other = Math.floor(Math.random() * MAX_CLIENTS);
      if ((this.#fullAtMs[other] as number) < (this.#fullAtMs[least] as number)) least = other;
    }
    return least;
  }

  /** The last one takes its place. */
  #remove(place: number): void {
    const last = this.size - 1;
    this.#places.delete(this.#clients[place] as string);
    if (place !== last) {
      const moved = this.#clients[last] as string;
      this.#clients[place] = moved;
      this.#places.set(moved, place);
      this.#fullAtMs[place] = this.#fullAtMs[last] as number;
    }
    this.#clients.pop();
  }

  #grow(): void {
    const larger = new Float64Array(Math.max(FIRST_PLACES, 2 * this.#fullAtMs.length));
    larger.set(this.#fullAtMs);
    this.#fullAtMs = larger;
  }

  #clear(): void {
    this.#places.clear();
    this.#clients.length = 0;
    this.#fullAtMs = new Float64Array(0);
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }
}

/** Without the field of 16 KiB that V8 keeps for an address cut from it. */
function ownCopy(text: string): string {
  const bytes = Buffer.from(text, 'latin1').toString('latin1');
  return bytes === text ? bytes : Buffer.from(text, 'utf16le').toString('utf16le');
}
