// The series of counters that are known beforehand, at 0 from the start: a rate over a series that begins with its first
// event does not see that event (https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics).

import { REJECTIONS } from '../errors.ts';
import { BUNDLE_REASONS } from '../identity/bundle-error.ts';
import { CONNECTION_REASONS, HANDSHAKE_REASONS } from '../listener/reasons.ts';

type Zeroed<L extends string> = { inc(labels: Readonly<Record<L, string>>, by: number): void };

export type ZeroedCounters = {
  readonly failures_total: Zeroed<'reason' | 'side'>;
  readonly connections_total: Zeroed<'protocol'>;
  readonly connections_rejected_total: Zeroed<'reason'>;
  readonly handshakes_total: Zeroed<'version' | 'resumed'>;
  readonly handshake_failures_total: Zeroed<'reason'>;
  readonly plaintext_requests_total: Zeroed<'action'>;
  readonly client_certificates_rejected_total: Zeroed<'reason'>;
  readonly certificate_reloads_total: Zeroed<'result' | 'reason'>;
  readonly spans_dropped_total: Zeroed<'reason'>;
};

export function setZeros(counters: ZeroedCounters): void {
  const rejections = Object.values(REJECTIONS);
  for (const { reason, side } of rejections) counters.failures_total.inc({ reason, side }, 0);
  for (const protocol of ['http/1.1', 'h2', 'none']) counters.connections_total.inc({ protocol }, 0);
  for (const reason of Object.keys(CONNECTION_REASONS)) counters.connections_rejected_total.inc({ reason }, 0);
  for (const version of ['TLSv1.2', 'TLSv1.3'])
    for (const resumed of ['false', 'true']) counters.handshakes_total.inc({ version, resumed }, 0);
  for (const reason of Object.keys(HANDSHAKE_REASONS)) counters.handshake_failures_total.inc({ reason }, 0);
  for (const action of ['reject', 'redirect', 'forward']) counters.plaintext_requests_total.inc({ action }, 0);
  for (const { reason } of rejections.filter(({ reason }) => /^client_(?:certificate_|not_allowed)/.test(reason)))
    counters.client_certificates_rejected_total.inc({ reason }, 0);
  for (const reason of ['queue_full', 'export_failed']) counters.spans_dropped_total.inc({ reason }, 0);
  counters.certificate_reloads_total.inc({ result: 'success', reason: 'changed' }, 0);
  for (const reason of Object.keys(BUNDLE_REASONS))
    for (const prefix of ['', 'client_ca_'])
      counters.certificate_reloads_total.inc({ result: 'failed', reason: `${prefix}${reason}` }, 0);
}
