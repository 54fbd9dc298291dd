// Exchanges in log and metrics, and defects of ours, whether or not a request was in flight.

import type { Rejection } from '../errors.ts';
import type { Clock, Exchange } from '../exchange.ts';
import type { Observer } from '../pipeline/pipeline.ts';
import { accessLine } from './access-line.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Traces } from './traces/traces.ts';

export type ExchangeObservation = {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Read for each exchange: a reload may change it. */
  readonly settings: { readonly accessLog: 'all' | 'errors' | 'off' };
  readonly clock: Clock;
  /** What becomes of requests without TLS. */
  readonly plaintext: 'reject' | 'redirect' | 'forward';
  /** The app could not be connected to. */
  readonly appRefused?: () => void;
  /** If spans are exported. */
  readonly traces?: Pick<Traces, 'started'> | undefined;
  /** Where they came in, if there is more than one place. */
  readonly port?: () => number | undefined;
};

/** Reasons that tell of the app as a whole, not of one exchange with it. */
const APP_REFUSED: readonly string[] = ['upstream_refused', 'upstream_connect_timeout', 'upstream_unresolved'];

export function observeExchanges({
  log,
  metrics,
  settings,
  clock,
  plaintext,
  appRefused,
  traces,
  port = () => undefined,
}: ExchangeObservation): Observer {
  return {
    started(exchange) {
      metrics.exchangeStarted();
      traces?.started(exchange);
    },
    finished(exchange) {
      exchange.span?.end();
      const durationMs = clock() - exchange.startedMs;
      const { rejection, status, connection } = exchange;
      metrics.exchangeFinished(exchange, durationMs);
      if (connection.tls === undefined)
        metrics.plaintext_requests_total.inc({ action: plaintextAction(plaintext, exchange) });
      const { reason } = rejection ?? {};
      if (reason === 'rate_limited') metrics.rate_limited_total.inc();
      if (reason === 'client_not_allowed' || reason === 'client_certificate_missing')
        metrics.client_certificates_rejected_total.inc({ reason });
      if (reason !== undefined && APP_REFUSED.includes(reason)) appRefused?.();
      const { accessLog } = settings;
      if (accessLog === 'off') return;
      if (rejection !== undefined && isFailure(rejection))
        log.warn(accessLine(exchange, durationMs, port()), 'request');
      else if (accessLog === 'all' || rejection !== undefined || status >= 500)
        log.info(accessLine(exchange, durationMs, port()), 'request');
    },
    internalError: observeDefects(log, metrics),
  };
}

/** Defects of ours, for whoever has no exchange either. */
export function observeDefects(log: Log, metrics: Metrics): Observer['internalError'] {
  return (exchange, error) => {
    metrics.internal_errors_total.inc();
    log.error({ err: error, requestId: exchange?.requestId }, 'internal error');
  };
}

/** What we answered, or cut. A client that leaves, or that is sent on to https, is no failure. */
function isFailure({ reason, status }: Rejection): boolean {
  return status >= 400 && reason !== 'client_gone';
}

function plaintextAction(mode: ExchangeObservation['plaintext'], { rejection }: Exchange): string {
  if (mode === 'forward') return 'forward';
  return rejection?.reason === 'plaintext_redirect' ? 'redirect' : 'reject';
}
