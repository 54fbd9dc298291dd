// What the parts tell of themselves, put into words and numbers: the one place that turns events of the path into log
// lines and metrics, so that both always say the same.

import type { TrustObserver } from '../clients/shared.ts';
import type { Trust } from '../clients/trust.ts';
import type { Clock, Exchange } from '../exchange.ts';
import { fieldValue } from '../http/fields.ts';
import { isValidAt } from '../identity/dates.ts';
import type { IdentityObserver } from '../identity/identity.ts';
import type { PairState, Served } from '../identity/pair.ts';
import type { WatchObserver } from '../identity/watch.ts';
import type { ListenerObserver } from '../listener/listener.ts';
import type { Observer } from '../pipeline/pipeline.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { createSeldom } from './sampled.ts';

export type ExchangeObservation = {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Read for each exchange: a reload may change it. */
  readonly settings: { readonly accessLog: 'all' | 'errors' | 'off' };
  readonly clock: Clock;
  /** What becomes of requests without TLS. */
  readonly plaintext: 'reject' | 'redirect' | 'forward';
};

export function observeExchanges({ log, metrics, settings, clock, plaintext }: ExchangeObservation): Observer {
  return {
    started: () => metrics.exchangeStarted(),
    finished(exchange) {
      const durationMs = clock() - exchange.startedMs;
      metrics.exchangeFinished(exchange, durationMs);
      if (exchange.connection.tls === undefined) metrics.plaintext.inc({ action: plaintextAction(exchange) });
      const { reason } = exchange.rejection ?? {};
      if (reason === 'client_not_allowed' || reason === 'client_certificate_missing')
        metrics.clientsRejected.inc({ reason });
      const { accessLog } = settings;
      if (accessLog === 'off') return;
      const failed = exchange.rejection !== undefined || exchange.status >= 500;
      if (failed || accessLog === 'all') log.info(accessLine(exchange, durationMs), 'request');
    },
    internalError: (exchange, error) => log.error({ err: error, requestId: exchange?.requestId }, 'internal error'),
  };

  function plaintextAction({ rejection }: Exchange): string {
    if (plaintext === 'forward') return 'forward';
    return rejection?.reason === 'plaintext_redirect' ? 'redirect' : 'reject';
  }
}

function accessLine(exchange: Exchange, durationMs: number) {
  const { method, target, status, protocol, host, connection, bytesIn, bytesOut, upstreamMs, requestId, rejection } =
    exchange;
  return {
    method,
    path: pathOf(target),
    status,
    protocol,
    host,
    client: exchange.client,
    bytesIn,
    bytesOut,
    durationMs: round(durationMs),
    upstreamMs: upstreamMs < 0 ? undefined : round(upstreamMs),
    requestId,
    traceparent: fieldValue(exchange.headers, 'traceparent'),
    tls: connection.tls,
    reason: rejection?.reason,
    side: rejection?.side,
  };
}

/** Without the query; of a refused target that is no path nothing is logged, as it may hold credentials. */
function pathOf(target: string): string {
  if (target !== '*' && !target.startsWith('/')) return '';
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Of lines that tell of one client each: enough to find it, and no more than a log can take. */
const MOST_A_MINUTE = 100;

export function observeConnections(log: Log, metrics: Metrics, clock: Clock): ListenerObserver {
  const seldom = createSeldom(clock);
  const often = createSeldom(clock, MOST_A_MINUTE);
  return {
    connected: (protocol) => metrics.connections.inc({ protocol }),
    handshake: (version, resumed) => metrics.handshakes.inc({ version, resumed: String(resumed) }),
    handshakeFailed: (reason) => metrics.handshakeFailures.inc({ reason }),
    left: () => metrics.connections.inc({ protocol: 'none' }),
    refused(reason, peer) {
      metrics.rejected.inc({ reason });
      seldom(reason, (times) => log.warn({ reason, peer, times }, 'connection refused'));
    },
    clientRefused({ reason, subject, verdict }, client) {
      metrics.clientsRejected.inc({ reason });
      often(reason, (times) => {
        log.warn({ reason, subject, detail: verdict, client, times }, 'client certificate refused');
      });
    },
    sessionFailed(fault, detail, client) {
      metrics.rejected.inc({ reason: fault });
      often(fault, (times) => log.warn({ reason: fault, detail, client, times }, 'HTTP/2 session ended'));
    },
  };
}

/** `name`, the label of the certificate's metrics, is the --cert path. */
export function observeIdentity(log: Log, metrics: Metrics, now: () => Date): IdentityObserver {
  const tell = (served: Served): void => {
    const { name, bundle, warnings } = served;
    metrics.notBefore.set({ name }, bundle.notBefore.getTime() / 1000);
    metrics.notAfter.set({ name }, bundle.notAfter.getTime() / 1000);
    for (const { word, text } of warnings)
      log.warn({ name, reason: word, detail: text }, 'the certificate is served, but needs attention');
    warnOfDates(served, log, now());
  };
  return {
    waiting: (name, reason, detail) => log.warn({ name, reason, detail }, 'waiting for a certificate'),
    opened: tell,
    reloaded(served, previous) {
      metrics.reloads.inc({ result: 'success', reason: 'changed' });
      metrics.lastReload.set(now().getTime() / 1000);
      const { subject, names, serial, sha256, notAfter } = served.bundle;
      const { name, source } = served;
      const previousSerial = previous.bundle.serial;
      log.info({ name, subject, names, serial, sha256, notAfter, previousSerial, source }, 'certificate reloaded');
      tell(served);
    },
    refused(name, reason, message) {
      metrics.reloads.inc({ result: 'failed', reason });
      log.error({ name, reason, detail: message }, 'certificate not reloaded; the old one is still served');
    },
    restored: (name) => log.info({ name }, 'the files hold again the certificate that is served'),
    aged(served) {
      if (isValidAt(served.bundle, now())) log.info({ name: served.name }, 'the certificate is within its dates now');
      warnOfDates(served, log, now());
    },
    differs: (name, differs) => metrics.differs.set({ name }, differs ? 1 : 0),
  };
}

/** What the line `serving` says of a pair. */
export function certificateFacts({ name, served }: PairState) {
  const { subject, names, notAfter } = served?.bundle ?? {};
  return { name, subject, names, notAfter };
}

export function observeTrust(log: Log, metrics: Metrics, now: () => Date): TrustObserver {
  return {
    trusted(trust, name) {
      metrics.differs.set({ name }, 0);
      warnOfAuthorities(trust, name, log, now());
    },
    reloaded(trust, name) {
      metrics.reloads.inc({ result: 'success', reason: 'client_ca_changed' });
      const subjects = trust.certificates.map(({ subject }) => subject);
      log.info({ clientCa: name, subjects, sha256: trust.digest }, 'client CA reloaded');
      warnOfAuthorities(trust, name, log, now());
    },
    refused(reason, message, name) {
      metrics.reloads.inc({ result: 'failed', reason: `client_ca_${reason}` });
      log.error({ reason, detail: message, clientCa: name }, 'client CA not reloaded; the old one stays');
    },
    frozen: (detail, clientCa) =>
      log.warn({ clientCa, reason: 'subpath_mount', detail }, 'the client CA is used, but needs attention'),
    restored: (name) => log.info({ clientCa: name }, 'the file holds again the client CA that is in force'),
    differs: (differs, name) => metrics.differs.set({ name }, differs ? 1 : 0),
  };
}

function warnOfAuthorities({ certificates }: Trust, clientCa: string, log: Log, now: Date): void {
  for (const { subject, notBefore, notAfter } of certificates.filter((authority) => !isValidAt(authority, now)))
    log.warn({ clientCa, subject, notBefore, notAfter }, 'a CA of --client-ca is outside its dates');
}

export function observeWatch(log: Log, metrics: Metrics): WatchObserver {
  return {
    failed: (error) => log.warn({ err: error }, 'watching the certificate failed; polling goes on'),
    rearmed: (reason) => metrics.rearmed.inc({ reason }),
  };
}

function warnOfDates({ name, bundle }: Served, log: Log, now: Date): void {
  if (isValidAt(bundle, now)) return;
  const { notBefore, notAfter } = bundle;
  log.error({ name, notBefore, notAfter }, 'the certificate that is served is outside its dates');
}
