// Client connections in log and metrics: their handshakes, and why some of them are refused or ended. Lines that anybody
// can cause are sampled.

import type { Clock } from '../exchange.ts';
import type { ListenerObserver } from '../listener/listener.ts';
import { type ConnectionReason, HANDSHAKE_REASONS } from '../listener/reasons.ts';
import { bounded, MAX_HOST, MAX_TEXT } from './bounded.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { createSampledLog } from './sampled-log.ts';

/** Of lines that tell of one client each: enough to find it, and no more than a log can take. */
const MOST_A_MINUTE = 100;

export function observeConnections(log: Log, metrics: Metrics, clock: Clock): ListenerObserver {
  const perReason = createSampledLog(clock);
  const perClient = createSampledLog(clock, MOST_A_MINUTE);
  return {
    connected: (protocol) => metrics.connections_total.inc({ protocol }),
    handshake(version, resumed, startedMs) {
      metrics.handshakes_total.inc({ version, resumed: String(resumed) });
      metrics.handshake_duration_seconds.observe(0, (clock() - startedMs) / 1000);
    },
    handshakeFailed(reason, { peerAddress: peer, remoteAddress: client, serverName, code }) {
      metrics.handshake_failures_total.inc({ reason });
      // Of client certificates clientRefused() tells, with their subject.
      if (!Object.hasOwn(HANDSHAKE_REASONS, reason)) return;
      perClient(`handshake ${reason}`, (times) => {
        const facts = {
          peer,
          client,
          sni: bounded(serverName, MAX_HOST),
          alert: alertOf(code),
          detail: code || undefined,
        };
        log.warn({ reason, ...facts, times }, 'TLS handshake failed');
      });
    },
    left: () => metrics.connections_total.inc({ protocol: 'none' }),
    refused(reason: ConnectionReason, peer) {
      metrics.connections_rejected_total.inc({ reason });
      perReason(reason, (times) => log.warn({ reason, peer, times }, 'connection refused'));
    },
    clientRefused({ reason, subject, verifyError }, client) {
      metrics.client_certificates_rejected_total.inc({ reason });
      perClient(reason, (times) => {
        const facts = { subject: bounded(subject, MAX_TEXT), detail: bounded(verifyError, MAX_TEXT) };
        log.warn({ reason, ...facts, client, times }, 'client certificate refused');
      });
    },
    sessionFailed(reason: ConnectionReason, detail, client) {
      metrics.connections_rejected_total.inc({ reason });
      perClient(reason, (times) => {
        log.warn({ reason, detail: bounded(detail, MAX_TEXT), client, times }, 'HTTP/2 session ended');
      });
    },
  };
}

/** The client's alert as RFC 8446 section 6 names it; in OpenSSL's code, as ERR_SSL_TLSV1_ALERT_UNKNOWN_CA, it comes last. */
function alertOf(code: string): string | undefined {
  return /_ALERT_([A-Z_]+)$/.exec(code)?.[1]?.toLowerCase();
}
