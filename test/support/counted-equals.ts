// Whether what the sidecar says in /metrics is what its clients counted, to the last one.

import assert from 'node:assert/strict';
import { readMetrics } from './admin.ts';
import type { Tally } from './counted-load.ts';
import { eventually } from './poll.ts';
import type { Sidecar } from './sidecar.ts';

/** Of one metric: the labels' values, joined, by the samples above 0. */
function samples(text: string, name: string, ...labels: string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, given = '', value] = new RegExp(`^tls_sidecar_${name}(?:\\{(.*)\\})? (\\S+)$`).exec(line) ?? [];
    if (value === undefined || Number(value) === 0) continue;
    const key = labels.map((label) => new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(given)?.[1]).join(' ');
    found[key] = (found[key] ?? 0) + Number(value);
  }
  return found;
}

function sumBy(counts: Map<string, number>, keyOf: (key: string) => string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, count] of counts) sums[keyOf(key)] = (sums[keyOf(key)] ?? 0) + count;
  return sums;
}

/** Waits until nothing is in flight; then every number has to be the same. */
export async function assertCounted(sidecar: Sidecar, tally: Tally): Promise<void> {
  const { text } = await eventually(
    async () => {
      const seen = await readMetrics(sidecar);
      return seen.sum('requests_in_flight') === 0 && seen.sum('connections_active') === 0 && seen;
    },
    { what: 'the end of all requests and connections' },
  );
  const whole = (name: string): number => samples(text, name)[''] ?? 0;
  assert.deepEqual(samples(text, 'requests_total', 'method', 'code', 'protocol'), Object.fromEntries(tally.requests));
  assert.deepEqual(samples(text, 'failures_total', 'reason'), Object.fromEntries(tally.failures));
  assert.deepEqual(samples(text, 'connections_total', 'protocol'), Object.fromEntries(tally.connections));
  assert.equal(whole('handshakes_total'), tally.handshakes);
  assert.equal(whole('handshake_duration_seconds_count'), tally.handshakes);
  assert.equal(whole('plaintext_requests_total'), tally.plain);
  assert.equal(whole('received_bytes_total'), tally.sent);
  assert.equal(whole('sent_bytes_total'), tally.received);
  assert.deepEqual(
    samples(text, 'request_duration_seconds_count', 'protocol'),
    sumBy(tally.requests, (key) => key.split(' ')[2] ?? ''),
  );
  for (const name of ['handshake_failures_total', 'connections_rejected_total', 'internal_errors_total'])
    assert.deepEqual(samples(text, name), {}, name);
}
