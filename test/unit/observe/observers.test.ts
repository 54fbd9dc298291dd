// What the observers write of texts that a client chose, and of a defect of ours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REJECTIONS } from '../../../src/errors.ts';
import { observeConnections } from '../../../src/observe/connections.ts';
import { observeExchanges } from '../../../src/observe/exchanges.ts';
import { boundedError, logTo } from '../../../src/observe/log.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { FakeExchange } from '../pipeline/fake-exchange.ts';

function observed() {
  const lines: Record<string, unknown>[] = [];
  const log = logTo((line) => void lines.push(JSON.parse(line)), { level: 'info', format: 'json' });
  const metrics = createMetrics({ version: '', node: '', openssl: '' });
  return { lines, log, metrics };
}

test('a defect is logged and counted, whether or not a request was in flight', async () => {
  const { lines, log, metrics } = observed();
  const observer = observeExchanges({
    log,
    metrics,
    settings: { accessLog: 'all' },
    clock: () => 0,
    plaintext: 'reject',
  });
  const exchange = new FakeExchange({});
  exchange.requestId = 'abc';
  observer.internalError(exchange, new Error('one'));
  observer.internalError(undefined, new Error('two'));
  assert.deepEqual(
    lines.map(({ msg, requestId }) => [msg, requestId]),
    [
      ['internal error', 'abc'],
      ['internal error', undefined],
    ],
  );
  assert.match(await metrics.text(), /^tls_sidecar_internal_errors_total 2$/m);
});

test('an error in the log is its text at a bounded length, without the objects that hang on it', () => {
  const error = Object.assign(new Error('m'.repeat(100_000)), {
    code: 'EX',
    errno: -2,
    rawPacket: Buffer.alloc(50_000),
  });
  const { message, stack, code, errno, rawPacket, type } = boundedError(error) as Record<string, unknown>;
  assert.equal(String(message).length, 4097);
  assert.equal(String(stack).length, 4097);
  assert.deepEqual([type, code, errno, rawPacket], ['Error', 'EX', -2, undefined]);
  assert.equal(String(boundedError('t'.repeat(100_000))).length, 4097);
});

test('the subject of a refused certificate and the detail of an HTTP/2 session are cut', () => {
  const { lines, log, metrics } = observed();
  const observer = observeConnections(log, metrics, () => 0);
  const long = 'x'.repeat(8000);
  observer.clientRefused({ reason: 'client_certificate_invalid', subject: long, verifyError: long }, '192.0.2.7');
  observer.sessionFailed('bad_preface' as never, long, '192.0.2.7');
  for (const line of lines) assert.ok(JSON.stringify(line).length < 2000, String(line.msg));
  assert.equal(lines.length, 2);
});

test('a request that came too often is counted, from 0 on, and its line is a warning with the reason', async () => {
  const { lines, log, metrics } = observed();
  const counted = async () => /^tls_sidecar_rate_limited_total (\d+)$/m.exec(await metrics.text())?.[1];
  assert.equal(await counted(), '0');
  const settings = { accessLog: 'errors' } as const;
  const observer = observeExchanges({ log, metrics, settings, clock: () => 0, plaintext: 'reject' });
  for (const reason of ['rate_limited', 'body_too_large', undefined] as const) {
    const exchange = new FakeExchange({});
    exchange.rejection = reason && REJECTIONS[reason];
    exchange.status = exchange.rejection?.status ?? 200;
    observer.finished(exchange);
  }
  assert.equal(await counted(), '1');
  assert.deepEqual(
    lines.map(({ status, reason, side }) => [status, reason, side]),
    [
      [429, 'rate_limited', 'client'],
      [413, 'body_too_large', 'client'],
    ],
  );
});
