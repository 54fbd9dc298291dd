// What the app may have and do on a session: streams, windows, fields, and frames that carry nothing.

import type { Clock } from '../../exchange.ts';
import { Setting } from '../../http/h2/frames.ts';
import type { SessionOptions } from '../../http/h2/session-owner.ts';
import { Cost } from '../../http/h2/session-owner.ts';
import { ENTRY_BYTES } from '../../http/hpack/field.ts';
import type { Account } from '../../net/budget.ts';
import { type Pace, TokenBucket } from '../../net/token-bucket.ts';
import type { ForwardLimits } from '../upstream.ts';

/** Streams of one session, where the app sets no lower limit: all of them reset at once are far below what apps put up with. */
export const MAX_STREAMS = 256;
/** Of the session: answers that wait for their clients hold up no other, since what they fill is given again. */
const WINDOW = { first: 1 << 20, most: 1 << 20, spare: 4 << 20 };
/** The least that a header block may have before it is decoded. */
const BLOCK_BYTES = 65_536;

/** `account`: of no one client, for the session is shared. */
export function sessionOptions({ maxHeaderBytes, maxFields }: ForwardLimits, account: Account): SessionOptions {
  const maxListBytes = maxHeaderBytes + ENTRY_BYTES * maxFields;
  return {
    server: false,
    settings: [
      [Setting.enablePush, 0],
      [Setting.maxHeaderListSize, maxListBytes],
    ],
    window: WINDOW,
    account,
    maxListBytes,
    maxBlockBytes: Math.max(BLOCK_BYTES, 4 * maxHeaderBytes),
  };
}

/**
 * Resets of ours, in whose number clients have a hand, that one session takes: Node's server ends a session after 1,000 at
 * once and 33 a second, Envoy's after 500.
 */
export const OUR_RESETS: Pace = { burst: 100, perSecond: 20 };

/** Until a session that could not be replaced takes new streams again. */
const REST_MS = 5000;

/** How many a session has sent, and whether it rests from new streams for that. */
export class OurResets {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  /** Until when it rests, or infinity where it does not. */
  restMs = Number.POSITIVE_INFINITY;
  /** Of them, those that were counted. */
  #counted = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#bucket = new TokenBucket(OUR_RESETS, clock);
  }

  /** `resets`: of the session, by now. False: those that are new were too many. */
  count(resets: number): boolean {
    let within = true;
    for (; this.#counted < resets; this.#counted++) within = this.#bucket.take() && within;
    return within;
  }

  get resting(): boolean {
    return this.restMs !== Number.POSITIVE_INFINITY;
  }

  rest(): void {
    if (!this.resting) this.restMs = this.#clock() + REST_MS;
  }

  /** Whether it has rested; that is said once. */
  rested(): boolean {
    if (this.restMs > this.#clock()) return false;
    this.restMs = Number.POSITIVE_INFINITY;
    return true;
  }
}

/** More than any app needs, for a session carries the calls of many clients; an app that floods us pays with it. */
const ANSWERED: Pace = { burst: 10_000, perSecond: 1000 };
const IDLE: Pace = { burst: 100_000, perSecond: 10_000 };
/** Beside one for each stream. */
const RESETS = 1000;

/** How long the app has to close its end behind ours. */
export const CLOSE_MS = 1000;
/** Of streams; far from the last one that there can be. */
export const MAX_ID = 1 << 30;

export class AppFloods {
  readonly #answered: TokenBucket;
  readonly #idle: TokenBucket;
  #resets = RESETS;

  constructor(clock: Clock) {
    this.#answered = new TokenBucket(ANSWERED, clock);
    this.#idle = new TokenBucket(IDLE, clock);
  }

  /** A stream was begun: the app may reset it, whenever it wants. */
  begun(): void {
    this.#resets++;
  }

  /** False: the session has to end. */
  spend(cost: Cost): boolean {
    if (cost === Cost.reset) return --this.#resets >= 0;
    return cost === Cost.answered ? this.#answered.take() : this.#idle.take();
  }
}
