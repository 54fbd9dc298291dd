// A pipeline that answers nothing by itself: the test carries each exchange, and sees what is told of it.

import type { Carrier, Exchange, Handler } from '../../../../src/exchange.ts';
import type { RawHeaders } from '../../../../src/http/fields.ts';
import { createPipeline, type Forwarder } from '../../../../src/pipeline/pipeline.ts';
import { requestRules } from '../../../../src/pipeline/request-rules.ts';

export class FakeCarrier implements Carrier {
  /** What was called, in order: `body 5`, `end`, `drained`, `gone`. */
  readonly calls: string[] = [];
  received = '';
  /** Called with each slice of a body. */
  onBody: (chunk: Buffer) => void = () => {};

  body(chunk: Buffer): void {
    this.calls.push(`body ${chunk.length}`);
    this.received += chunk.toString('latin1');
    this.onBody(chunk);
  }

  bodyEnd(trailers: RawHeaders | undefined): void {
    this.calls.push(trailers === undefined ? 'end' : 'end with trailers');
  }

  drained(): void {
    this.calls.push('drained');
  }

  depart(): void {
    this.calls.push('depart');
  }

  gone(): void {
    this.calls.push('gone');
  }
}

export type Handled = {
  readonly handler: Handler;
  /** What reached the forwarder. */
  readonly exchanges: Exchange[];
  readonly finished: Exchange[];
  /** Defects that were told of. */
  readonly errors: unknown[];
};

/** The real pipeline with the request rules alone. */
export function handlerOf(forward: Forwarder['forward'] = () => {}): Handled {
  const exchanges: Exchange[] = [];
  const finished: Exchange[] = [];
  const errors: unknown[] = [];
  const handler = createPipeline({
    policies: [requestRules],
    forwarder: {
      forward(exchange, failures) {
        exchanges.push(exchange);
        forward(exchange, failures);
      },
    },
    observer: {
      started() {},
      finished: (exchange) => void finished.push(exchange),
      internalError: (_exchange, error) => void errors.push(error),
    },
    now: () => new Date(0),
  });
  return { handler, exchanges, finished, errors };
}
