// What costs a client little and us more, and how often it may do that: resets of streams, by whomever they are made
// necessary (CVE-2023-44487, CVE-2025-8671), frames that have to be answered, and frames that say nothing (CVE-2019-9511
// to 9518). What a client sends in return for what it got is not counted here.

import type { Clock } from '../../exchange.ts';
import { Cost } from '../../http/h2/session-owner.ts';
import { type Pace, TokenBucket } from '../../net/token-bucket.ts';

const RESETS: Pace = { burst: 500, perSecond: 100 };
const ANSWERED: Pace = { burst: 1000, perSecond: 100 };
const IDLE: Pace = { burst: 2000, perSecond: 200 };

/** Streams above the limit that are refused without blame, while the client may not have heard of it. */
const MAX_EARLY = 1000;

export class Floods {
  #early = 0;
  readonly #resets: TokenBucket;
  readonly #answered: TokenBucket;
  readonly #idle: TokenBucket;

  constructor(clock: Clock) {
    this.#resets = new TokenBucket(RESETS, clock);
    this.#answered = new TokenBucket(ANSWERED, clock);
    this.#idle = new TokenBucket(IDLE, clock);
  }

  /** A stream above a limit that the client has not acknowledged yet. False: it is no excuse any more. */
  early(): boolean {
    return ++this.#early <= MAX_EARLY;
  }

  /** False: the connection has to end. */
  spend(cost: Cost): boolean {
    if (cost === Cost.reset) return this.#resets.take();
    return cost === Cost.answered ? this.#answered.take() : this.#idle.take();
  }
}
