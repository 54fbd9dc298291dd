// What is no review, too large or too slow gets one clear word and costs nobody else anything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import { podOf, responseIn, reviewOf } from '../support/reviews.ts';
import { REVIEW_PATH, reasonOf, setWebhook, type WebhookStage } from '../support/webhook-stage.ts';

const MOST = 3 << 20;

const headOf = (more: string, path = REVIEW_PATH, method = 'POST'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n\r\n`;

/** Bytes as they stand, and the answer's status and word. */
async function raw({ webhook }: WebhookStage, ...bytes: (string | Buffer)[]): Promise<[number, string]> {
  const client = await connect({ port: webhook.port });
  for (const part of bytes) client.send(part);
  const { status, headers } = await client.readResponse();
  client.destroy();
  return [status, reasonOf(valuesOf(headers, 'Proxy-Status')[0])];
}

/** A review of exactly that many bytes. */
function reviewOfBytes(bytes: number): string {
  const bare = reviewOf({ object: podOf({ metadata: { annotations: { note: '' } } }) });
  const note = 'x'.repeat(bytes - Buffer.byteLength(bare));
  return reviewOf({ object: podOf({ metadata: { annotations: { note } } }) });
}

test('what is no review gets one word each, and reviews are answered as before', async (t) => {
  const scene = await setWebhook(t);
  const rows: readonly (readonly [what: string, body: string | Buffer, status: number, reason: string])[] = [
    ['nothing', '', 400, 'malformed_review'],
    ['garbage', Buffer.from([0x00, 0xff, 0x16, 0x03]), 400, 'malformed_review'],
    ['YAML', 'apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n', 400, 'malformed_review'],
    ['half a review', reviewOf().slice(0, 400), 400, 'malformed_review'],
    ['deep nesting', `${'{"a":'.repeat(2e5)}1${'}'.repeat(2e5)}`, 400, 'malformed_review'],
    ['another kind', reviewOf({}, { kind: 'Pod' }), 400, 'malformed_review'],
    ['an older version', reviewOf({}, { apiVersion: 'admission.k8s.io/v1beta1' }), 400, 'unsupported_review'],
    ['too large', Buffer.alloc(MOST + 1, ' '), 413, 'review_too_large'],
  ];
  for (const [what, body, status, reason] of rows) {
    const answer = await scene.post(body);
    assert.deepEqual([answer.status, answer.reason], [status, reason], what);
    assert.ok(answer.body.startsWith(`${status} ${reason}\n`), what);
  }
  const metrics = await readMetrics(scene.webhook);
  const failed = (reason: string): number => metrics.sum('failures_total', { reason, side: 'client' });
  assert.deepEqual(['malformed_review', 'unsupported_review', 'review_too_large'].map(failed), [6, 1, 1]);
  assert.equal((await scene.review(reviewOf())).allowed, true);
});

test('objects of every shape are judged, and none ends the process', async (t) => {
  const { post, review } = await setWebhook(t, ['--secret', 'web-tls', '--mode', 'redirect']);
  const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`;
  const specs: unknown[] = [
    null,
    [],
    'x',
    { containers: {} },
    { containers: [null, 7, 'x', [], {}] },
    { containers: [{ name: 7, ports: { containerPort: 80 } }] },
    { containers: [{ name: 'a', ports: [{ containerPort: '80' }, null] }], initContainers: 'x', volumes: { a: 1 } },
    { containers: [{ name: 'a', ports: [{ containerPort: 80 }], lifecycle: [] }] },
    {
      containers: [
        { name: 'a', ports: [{ containerPort: 80 }], livenessProbe: { httpGet: { port: 80, path: 'deep' } } },
      ],
    },
    { containers: [{ name: 'a', ports: [{ containerPort: 80 }], livenessProbe: { grpc: { port: 80, service: [] } } }] },
  ];
  for (const spec of specs) {
    const body = reviewOf({ object: { apiVersion: 'v1', kind: 'Pod', metadata: 'x', spec } });
    const { status } = await post(body.replace('"deep"', deep));
    assert.equal(status, 200, `spec ${specs.indexOf(spec)}`);
  }
  assert.equal((await review(reviewOf())).allowed, true);
});

test('anything but POST /inject is no endpoint', async (t) => {
  const scene = await setWebhook(t);
  const none = [404, 'no_such_endpoint'];
  assert.deepEqual(await raw(scene, headOf('Accept: */*', '/inject', 'GET')), none);
  assert.deepEqual(await raw(scene, headOf('Content-Length: 2', '/'), '{}'), none);
  assert.deepEqual(await raw(scene, headOf('Content-Length: 2', '/inject/'), '{}'), none);
  assert.deepEqual(await raw(scene, headOf('Content-Length: 2', '/Inject'), '{}'), none);
});

test('a review of 3 MiB is answered, one byte more is refused before it is read, or where it is passed', async (t) => {
  const scene = await setWebhook(t);
  assert.equal((await scene.review(reviewOfBytes(MOST))).allowed, true);
  const tooLarge = [413, 'review_too_large'];
  assert.deepEqual(await raw(scene, headOf(`Content-Length: ${MOST + 1}`)), tooLarge);
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(1 << 20, ' '), Buffer.from('\r\n')]);
  assert.deepEqual(await raw(scene, headOf('Transfer-Encoding: chunked'), chunk, chunk, chunk, '1\r\n \r\n'), tooLarge);
});

test('a review in pieces of one byte is one review, and Expect is answered', async (t) => {
  const { webhook } = await setWebhook(t);
  const client = await connect({ port: webhook.port });
  client.send(headOf('Transfer-Encoding: chunked\r\nExpect: 100-continue'));
  await client.waitFor('HTTP/1.1 100 Continue\r\n\r\n');
  client.send([...Buffer.from(reviewOf())].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join(''));
  client.send('0\r\n\r\n');
  const { status, body } = await client.readResponse();
  assert.deepEqual([status, responseIn(body.toString()).allowed], [200, true]);
  client.destroy();
});

test('one that does not arrive in time is a 408, and holds nothing afterwards', async (t) => {
  const scene = await setWebhook(t);
  const clients = await Promise.all(Array.from({ length: 30 }, () => connect({ port: scene.webhook.port })));
  for (const client of clients) client.send(`${headOf('Content-Length: 1000000')}{`);
  assert.equal((await scene.review(reviewOf())).allowed, true, 'while they are slow');
  for (const client of clients) {
    const { status, body } = await client.readResponse();
    assert.equal(status, 408);
    assert.match(body.toString(), /^408 review_timeout\n/);
    client.destroy();
  }
  await eventually(async () => (await readMetrics(scene.webhook)).sum('buffered_bytes') === 0, {
    what: 'nothing held',
  });
});

test('clients that leave in the middle leave nothing behind', async (t) => {
  const { webhook, review } = await setWebhook(t);
  const clients = await Promise.all(Array.from({ length: 30 }, () => connect({ port: webhook.port })));
  for (const client of clients) client.send(headOf('Content-Length: 100000') + 'x'.repeat(50_000));
  await eventually(async () => (await readMetrics(webhook)).sum('requests_in_flight') === 30, {
    what: 'all in flight',
  });
  for (const client of clients) client.reset();
  await eventually(
    async () => {
      const metrics = await readMetrics(webhook);
      return metrics.sum('requests_in_flight') + metrics.sum('buffered_bytes') === 0;
    },
    { what: 'nothing in flight and nothing held' },
  );
  assert.equal((await review(reviewOf())).allowed, true);
});
