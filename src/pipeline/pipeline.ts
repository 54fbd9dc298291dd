// The pipeline: runs the policies in their order, forwards what they let pass, and reports every exchange at its start and
// once at its end. Only here a client is answered with a status of ours. It never touches a socket.

import { STATUS_CODES } from 'node:http';
import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Exchange, Failures, Handler } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';
import { grpcFailure } from './grpc.ts';
import { redirectTarget } from './plaintext.ts';
import type { Policy } from './policies.ts';

/** What carries an accepted exchange to the app. It must answer, or call fail(), or see gone(). */
export interface Forwarder {
  forward(exchange: Exchange, failures: Failures): void;
}

export interface Observer {
  started(exchange: Exchange): void;
  finished(exchange: Exchange): void;
  /** A defect of ours. The exchange, if there is one, is answered with 500; the process goes on. */
  internalError(exchange: Exchange | undefined, error: unknown): void;
}

export type PipelineOptions = {
  readonly policies: readonly Policy[];
  readonly forwarder: Forwarder;
  readonly observer: Observer;
  /** The time of day, for the Date of our own answers. */
  readonly now: () => Date;
};

export function createPipeline({ policies, forwarder, observer, now }: PipelineOptions): Handler {
  /** Before the head of the answer the client is told what happened; after it, only a cut is honest. */
  const fail = (exchange: Exchange, rejection: Rejection): void => {
    if (exchange.finished) return;
    exchange.rejection = rejection;
    if (exchange.answered) exchange.cut();
    else answer(exchange, rejection, now());
  };
  const crashed = (exchange: Exchange | undefined, error: unknown): void => {
    observer.internalError(exchange, error);
    if (exchange !== undefined) fail(exchange, REJECTIONS.internal_error);
  };
  const failures = { fail, crashed };
  return {
    handle(exchange) {
      observer.started(exchange);
      try {
        for (const policy of policies) {
          const rejection = policy.apply(exchange);
          if (rejection !== undefined) return fail(exchange, rejection);
        }
        forwarder.forward(exchange, failures);
      } catch (error) {
        crashed(exchange, error);
      }
    },
    refuse(exchange, rejection) {
      observer.started(exchange);
      fail(exchange, rejection);
    },
    ...failures,
    finished(exchange) {
      observer.finished(exchange);
    },
  };
}

function answer(exchange: Exchange, rejection: Rejection, now: Date): void {
  const common = [
    'Date',
    now.toUTCString(),
    'Proxy-Status',
    `tls-sidecar; error=${rejection.error}; details="${rejection.reason}"`,
    ...(exchange.addedToAnswer ?? []),
  ];
  if (exchange.grpc) {
    exchange.answer(200, 'OK', [...grpcFailure(rejection), ...common], 0);
    // What the call came to, in log and metrics.
    exchange.status = rejection.status;
    return exchange.end(undefined);
  }
  const body = Buffer.from(explain(rejection, exchange));
  const headers: RawHeaders = [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    ...common,
  ];
  if (rejection.reason === 'plaintext_redirect') headers.push('Location', redirectTarget(exchange));
  exchange.answer(rejection.status, STATUS_CODES[rejection.status] ?? 'Error', headers, body.length);
  if (exchange.method !== 'HEAD') exchange.write(body);
  exchange.end(undefined);
}

function explain(rejection: Rejection, exchange: Exchange): string {
  const id = exchange.requestId === '' ? '' : ` and requestId "${exchange.requestId}"`;
  return `${rejection.status} ${rejection.reason}\n${rejection.text}\nThe log of tls-sidecar has a line with reason "${rejection.reason}"${id}.\n`;
}
