// Stands where a forwarder stands elsewhere, and answers by itself: takes the body of a POST /inject, bounded in size and time,
// and gives the API server its verdict. It waits for nobody, asks nobody, and keeps nothing between two reviews.

import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Carrier, Clock, Exchange, Failures } from '../exchange.ts';
import type { InjectSettings } from '../inject/settings.ts';
import type { Deadlines, Timed } from '../net/deadlines.ts';
import { MAX_REVIEW_BYTES, ReviewBody } from './body.ts';
import { isRejected, type Review, readReview, writeAnswer } from './review.ts';
import { judge, type Verdict } from './verdict.ts';

export interface ReviewObserver {
  reviewed(review: Review, verdict: Verdict): void;
}

export type WebhookOptions = {
  readonly settings: InjectSettings;
  readonly observer: ReviewObserver;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly now: () => Date;
};

export interface Webhook {
  forward(exchange: Exchange, failures: Failures): void;
  /** Nothing is kept that would have to be closed. */
  close(): void;
}

const PATH = '/inject';
/** As long as the API server waits by the chart's webhook configuration. */
const BUDGET_MS = 2000;

export function createWebhook(options: WebhookOptions): Webhook {
  return {
    forward(exchange, failures) {
      // The API server adds its own `?timeout=2s`.
      const isOurs = exchange.method === 'POST' && exchange.target.split('?', 1)[0] === PATH;
      if (!isOurs || exchange.upgrade !== undefined) return failures.fail(exchange, REJECTIONS.no_such_endpoint);
      if (exchange.bodyLength > MAX_REVIEW_BYTES) return failures.fail(exchange, REJECTIONS.review_too_large);
      if (exchange.bodyLength === 0) return failures.fail(exchange, REJECTIONS.malformed_review);
      new PendingReview(exchange, failures, options).begin();
    },
    close() {},
  };
}

/** From the head of a request to its verdict. */
class PendingReview implements Carrier, Timed {
  readonly deadlineMs: number;
  readonly #exchange: Exchange;
  readonly #failures: Failures;
  readonly #options: WebhookOptions;
  readonly #body: ReviewBody;
  #over = false;

  constructor(exchange: Exchange, failures: Failures, options: WebhookOptions) {
    this.deadlineMs = exchange.startedMs + BUDGET_MS;
    this.#exchange = exchange;
    this.#failures = failures;
    this.#options = options;
    this.#body = new ReviewBody(exchange.connection.account, exchange.bodyLength);
  }

  begin(): void {
    this.#options.deadlines.add(this);
    if (this.#exchange.awaitsContinue) this.#exchange.inform(100, []);
    this.#exchange.carry(this);
  }

  // ---- Carrier

  body(chunk: Buffer): void {
    if (this.#over) return;
    if (!this.#body.add(chunk)) this.#fail(REJECTIONS.review_too_large);
    else if (this.#exchange.connection.account.exceeded) this.#fail(REJECTIONS.client_over_share);
  }

  bodyEnd(): void {
    if (this.#over) return;
    try {
      this.#answer();
    } catch (error) {
      this.crashed(error);
    }
  }

  drained(): void {}

  /** It is answered in a moment. */
  depart(): void {}

  gone(): void {
    this.#release();
  }

  // ---- Timed

  expire(): void {
    this.#fail(REJECTIONS.review_timeout);
  }

  crashed(error: unknown): void {
    this.#release();
    this.#failures.crashed(this.#exchange, error);
  }

  // ---- the verdict

  #answer(): void {
    const { settings, observer, now } = this.#options;
    const review = readReview(this.#body.bytes);
    if (isRejected(review)) return this.#fail(review);
    const verdict = judge(review, settings);
    const body = Buffer.from(writeAnswer({ uid: review.uid, ...answerOf(verdict) }));
    this.#release();
    const fields = [
      'Content-Type',
      'application/json',
      'Content-Length',
      String(body.length),
      'Date',
      now().toUTCString(),
    ];
    this.#exchange.answer(200, 'OK', fields, body.length);
    this.#exchange.write(body);
    this.#exchange.end(undefined);
    observer.reviewed(review, verdict);
  }

  #fail(rejection: Rejection): void {
    this.#release();
    this.#failures.fail(this.#exchange, rejection);
  }

  #release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.deadlines.delete(this);
    this.#body.drop();
  }
}

function answerOf({ result, patch, details }: Verdict) {
  const lines = details.map((detail) => `tls-sidecar: ${detail}`);
  if (result !== 'refused') return { patch, warnings: lines, refusal: undefined };
  return { patch, warnings: [], refusal: `tls-sidecar cannot be injected: ${details.join('; ')}` };
}
