// The command `webhook` as the API server sees it: many reviews at once, over both protocols, dry runs, a rotation under load,
// and an end that loses no review.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { get, listAt, textAt } from '../../src/inject/edits/objects.ts';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect } from '../support/raw-client.ts';
import { patched, podOf, responseIn, reviewOf } from '../support/reviews.ts';
import { serialServed } from '../support/stage.ts';
import { REVIEW_PATH, setWebhook } from '../support/webhook-stage.ts';
import { withoutPoll } from '../support/without-poll.ts';

const AT_ONCE = 200;

const sidecarsOf = (pod: unknown): unknown[] =>
  listAt(pod, ['spec', 'initContainers']).map((one) => get(one, ['name']));

test('a Pod gets the sidecar, with a line in the log and a number in the metrics', async (t) => {
  const { webhook, review } = await setWebhook(t);
  const pod = podOf();
  const response = await review(reviewOf({ object: pod }));
  assert.deepEqual([response.allowed, response.warnings], [true, undefined]);
  const stored = patched(pod, response);
  assert.deepEqual(sidecarsOf(stored), ['tls-sidecar']);
  assert.equal(get(stored, ['spec', 'volumes', 0, 'secret', 'secretName']), 'web-tls');

  const again = await review(reviewOf({ object: stored }));
  assert.equal(again.patch, undefined);
  assert.match(again.warnings?.[0] ?? '', /^tls-sidecar: the sidecar is there already/);

  const { result, kind, namespace, name, level } = await webhook.waitForLog('admission review');
  assert.deepEqual([result, kind, namespace, name, level], ['injected', 'v1/Pod', 'shop', 'web-5d8f-', 'info']);
  const metrics = await readMetrics(webhook);
  const count = (wanted: string): number => metrics.sum('reviews_total', { result: wanted });
  assert.deepEqual([count('injected'), count('skipped'), count('refused')], [1, 1, 0]);
  assert.equal(metrics.sum('requests_total', { code: '200', method: 'POST' }), 2);
});

test('what cannot be injected as asked is not let in, and the message says what to do', async (t) => {
  const { webhook, review } = await setWebhook(t);
  const object = podOf({ metadata: { annotations: { 'tls-sidecar.dev/ports': 'web' } } });
  const { allowed, status, patch } = await review(reviewOf({ object }));
  assert.deepEqual([allowed, patch, status?.code], [false, undefined, 422]);
  assert.equal(status?.message, 'tls-sidecar cannot be injected: no container has a port named "web"; give its number');
  const line = await webhook.waitForLog('admission review');
  assert.deepEqual([line.level, line.result], ['warn', 'refused']);
});

test('a new Service leads to the sidecar in target-port mode, and stays as it is in redirect mode', async (t) => {
  const object = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, type: 'NodePort', ports: [{ protocol: 'TCP', port: 80, targetPort: 80 }] },
  };
  const body = reviewOf({ kind: { group: '', version: 'v1', kind: 'Service' }, object });
  const { review } = await setWebhook(t);
  assert.equal(get(patched(object, await review(body)), ['spec', 'ports', 0, 'targetPort']), 8080);
  const redirecting = await setWebhook(t, ['--secret', 'web-tls', '--mode', 'redirect']);
  const { allowed, patch } = await redirecting.review(body);
  assert.deepEqual([allowed, patch], [true, undefined]);
});

test('a dry run is answered as any other, and the log says that it was one', async (t) => {
  const { webhook, review } = await setWebhook(t);
  const [real, dry] = [await review(reviewOf()), await review(reviewOf({ dryRun: true }))];
  assert.deepEqual(dry, real);
  const line = await webhook.waitForLog(({ msg, dryRun }) => msg === 'admission review' && dryRun === true);
  assert.equal(line.result, 'injected');
});

test('flags of inject hold for all, and without --secret each Pod names its own', async (t) => {
  const { review } = await setWebhook(t, ['--mode', 'redirect', '--image', 'registry.example/tls-sidecar:1']);
  const { allowed, status } = await review(reviewOf());
  assert.equal(allowed, false);
  assert.match(status?.message ?? '', /no Secret is named: say it with the annotation tls-sidecar\.dev\/secret/);
  const object = podOf({ metadata: { annotations: { 'tls-sidecar.dev/secret': 'shop-tls' } } });
  const stored = patched(object, await review(reviewOf({ object })));
  assert.deepEqual(sidecarsOf(stored), ['tls-sidecar-init', 'tls-sidecar']);
  assert.equal(textAt(stored, ['spec', 'initContainers', 1, 'image']), 'registry.example/tls-sidecar:1');
});

test(`${AT_ONCE} reviews at once are all answered, on as many connections`, async (t) => {
  const { webhook, review, agent } = await setWebhook(t);
  const shared = agent(AT_ONCE);
  const names = Array.from({ length: AT_ONCE }, (_, at) => `web-${at}`);
  const stored = await Promise.all(
    names.map(async (name) => {
      const object = podOf({ metadata: { name } });
      const response = await review(reviewOf({ uid: `uid-${name}`, object }), shared);
      assert.equal(response.uid, `uid-${name}`);
      return patched(object, response);
    }),
  );
  assert.deepEqual(
    stored.map((pod) => get(pod, ['metadata', 'name'])),
    names,
  );
  assert.ok(stored.every((pod) => sidecarsOf(pod)[0] === 'tls-sidecar'));
  assert.equal((await readMetrics(webhook)).sum('reviews_total', { result: 'injected' }), AT_ONCE);
});

test(`${AT_ONCE} reviews at once are all answered on one connection of HTTP/2`, async (t) => {
  const { stage, webhook } = await setWebhook(t);
  const client = await openH2Client(webhook.port, stage.authority.pem);
  t.after(() => client.close());
  const fields = { ':method': 'POST', ':path': REVIEW_PATH, 'content-type': 'application/json' };
  const uids = Array.from({ length: AT_ONCE }, (_, at) => `uid-${at}`);
  const answers = await Promise.all(uids.map((uid) => client.request(fields, Buffer.from(reviewOf({ uid })))));
  assert.deepEqual(
    answers.map(({ body }) => responseIn(body.toString()).uid),
    uids,
  );
  assert.ok(answers.every(({ status, complete }) => status === 200 && complete));
});

test('its certificate is rotated under load, and no review is lost', async (t) => {
  const { stage, webhook, review, agent } = await setWebhook(
    t,
    ['--secret', 'web-tls', '--access-log', 'off'],
    withoutPoll,
  );
  const kept = agent(2);
  let over = false;
  let answered = 0;
  const ask = async (by?: typeof kept): Promise<void> => {
    while (!over) {
      const { allowed, patch } = await review(reviewOf(), by);
      assert.ok(allowed && patch !== undefined);
      answered += 1;
    }
  };
  const load = Promise.all([ask(kept), ask(kept), ask(), ask()]);
  load.catch(() => {
    over = true;
  });
  for (let swap = 0; swap < 5; swap += 1) {
    const next = await stage.issue();
    const seen = answered;
    await stage.volume.write(stage.files(next));
    await eventually(async () => over || (await serialServed(webhook)) === next.serial, {
      what: 'the new certificate',
    });
    await eventually(() => over || answered >= seen + 10, { what: 'reviews after a rotation' });
  }
  over = true;
  await load;
  const metrics = await readMetrics(webhook);
  assert.equal(metrics.sum('reviews_total', { result: 'injected' }), answered);
  assert.equal(metrics.sum('handshake_failures_total'), 0);
});

test('SIGTERM loses no review: what is on its way is answered, and the rest goes elsewhere', async (t) => {
  const { webhook } = await setWebhook(t);
  const body = reviewOf();
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect({ port: webhook.port })));
  const head = `POST ${REVIEW_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  for (const client of clients) client.send(head + body.slice(0, 100));
  await eventually(async () => (await readMetrics(webhook)).sum('requests_in_flight') === clients.length, {
    what: 'all requests in flight',
  });
  webhook.kill('SIGTERM');
  await webhook.waitForLog(({ msg, state }) => msg === 'state' && state === 'draining');
  for (const client of clients) client.send(body.slice(100));
  for (const client of clients) {
    const { status, body: answer } = await client.readResponse();
    assert.equal(status, 200);
    assert.equal(responseIn(answer.toString()).allowed, true);
  }
  assert.deepEqual(await webhook.exited, { code: 0, signal: null });
  const { cut } = await webhook.waitForLog('stopped');
  assert.equal(cut, 0);
});

test('it is ready without an app, and says on which port and with which certificate it serves', async (t) => {
  const { webhook } = await setWebhook(t);
  for (const path of ['/livez', '/readyz', '/startupz']) assert.equal((await askAdmin(webhook, path)).status, 200);
  const { app, upstream, listen } = await webhook.waitForLog('serving');
  assert.deepEqual([app, upstream], ['webhook', undefined]);
  assert.equal(get(listen, ['port']), webhook.port);
});

test('mistakes in its flags are told at once, with exit code 2', async () => {
  const args = ['webhook', '--upstream', 'http://localhost:1', '--mode', 'ambient', '--listen', 'x', 'now'];
  const { code, stdout, stderr } = await runToExit(args);
  assert.deepEqual([code, stdout], [2, '']);
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    'tls-sidecar: unknown option --upstream; webhook --help lists them',
    'tls-sidecar: unexpected argument "now"',
    'tls-sidecar: --mode takes target-port or redirect; the flag says "ambient"',
    'tls-sidecar: --listen takes [HOST]:PORT, as :8080, 127.0.0.1:8080 or [::1]:8080; the flag says "x"',
  ]);
});

test('--help has the options of a server and the flags of inject', async () => {
  const { code, stdout, stderr } = await runToExit(['webhook', '--help']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /--listen .*\n.*default: :8443\]/s);
  assert.match(stdout, /--app-prestop-sleep /);
  assert.doesNotMatch(stdout, /--upstream/);
});
