// A new Service leads to the sidecar in target-port mode; what cannot be known is left alone, with the reason.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, type JsonObject } from '../../../src/inject/edits/objects.ts';
import { readSettings } from '../../../src/inject/options.ts';
import type { InjectSettings } from '../../../src/inject/settings.ts';
import { uninject } from '../../../src/inject/uninject.ts';
import { isRejected, readReview, writeAnswer } from '../../../src/webhook/review.ts';
import { judge, type Verdict } from '../../../src/webhook/verdict.ts';
import { patched, type ReviewRequest, responseIn, reviewOf, UID } from '../../support/reviews.ts';

const settings = readSettings({ secret: ['web-tls'] }, '0.1.0', []);
const SERVICE = { group: '', version: 'v1', kind: 'Service' };

const port = (more: JsonObject): JsonObject => ({ protocol: 'TCP', port: 80, ...more });

function service(ports: readonly JsonObject[], metadata: JsonObject = {}, spec: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop', ...metadata },
    spec: { selector: { app: 'web' }, type: 'NodePort', ports, ...spec },
  };
}

function verdictOn(object: JsonObject, request: ReviewRequest = {}, given: InjectSettings = settings): Verdict {
  const review = readReview(Buffer.from(reviewOf({ kind: SERVICE, object, ...request })));
  assert.ok(!isRejected(review));
  return judge(review, given);
}

function stored(object: JsonObject, request: ReviewRequest = {}, given: InjectSettings = settings): JsonObject {
  const { patch } = verdictOn(object, request, given);
  return patched(object, responseIn(writeAnswer({ uid: UID, patch, warnings: [], refusal: undefined }))) as JsonObject;
}

const targetsOf = (object: JsonObject): unknown[] =>
  (get(object, ['spec', 'ports']) as JsonObject[]).map(({ targetPort }) => targetPort);

describe('a new Service', () => {
  for (const [how, ports] of [
    ['by number', [port({ targetPort: 80 })]],
    ['by name', [port({ targetPort: 'http' })]],
    ['by its own number', [port({ port: 3000 })]],
    ['beside UDP', [port({ targetPort: 80 }), port({ name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 })]],
  ] as const) {
    test(`whose one TCP port is said ${how} leads to the sidecar, and uninject takes it back`, () => {
      const before = service(ports);
      const after = stored(before);
      assert.deepEqual([targetsOf(after)[0], targetsOf(after)[1]], [8080, targetsOf(before)[1]]);
      assert.deepEqual(stored(after), after, 'asked again, it stays so');
      const back = JSON.parse(uninject(JSON.stringify(after), 'service').text) as JsonObject;
      assert.deepEqual(back, before);
    });
  }

  test('with several ports is moved where its annotation says so', () => {
    const ports = [port({ name: 'web', targetPort: 80 }), port({ name: 'api', port: 90, targetPort: 'api' })];
    const annotations = { 'tls-sidecar.dev/ports': '80,api' };
    assert.deepEqual(targetsOf(stored(service(ports, { annotations }))), [8080, 8081]);
    const one = { 'tls-sidecar.dev/ports': '80:8443' };
    assert.deepEqual(targetsOf(stored(service(ports, { annotations: one }))), [8443, 'api']);
  });

  test('with several ports is moved where --app-port says so', () => {
    const given = readSettings({ secret: ['web-tls'], 'app-port': ['9000'] }, '0.1.0', []);
    const ports = [port({ name: 'a', targetPort: 80 }), port({ name: 'b', port: 81, targetPort: 9000 })];
    assert.deepEqual(targetsOf(stored(service(ports), {}, given)), [80, 8080]);
  });

  test('that is headless is moved, and its user is told what that cannot change', () => {
    const { result, details } = verdictOn(service([port({ targetPort: 80 })], {}, { clusterIP: 'None' }));
    assert.equal(result, 'injected');
    assert.match(details[0] ?? '', /^it is headless/);
  });

  const one = [port({ targetPort: 80 })];
  const rows: readonly (readonly [why: string, object: JsonObject, reason: RegExp])[] = [
    ['that opts out', service(one, { annotations: { 'tls-sidecar.dev/inject': 'false' } }), /^opted out/],
    ['that selects nothing', service(one, {}, { selector: null }), /^it selects no Pods$/],
    ['of another name', service([], {}, { type: 'ExternalName', selector: undefined }), /^it selects no Pods$/],
    ['with two ports', service([...one, port({ port: 81 })]), /^it has 2 TCP ports: say which/],
    ['without ports', service([]), /^it has 0 TCP ports/],
    ['that is there already', service([port({ targetPort: 8080 })]), /^it leads to port 8080 already$/],
    ['in redirect mode', service(one, { annotations: { 'tls-sidecar.dev/mode': 'redirect' } }), /^in redirect mode/],
    ['without the named port', service(one, { annotations: { 'tls-sidecar.dev/ports': '81' } }), /^none of its ports/],
  ];
  for (const [why, object, reason] of rows) {
    test(`${why} is let in as it is`, () => {
      const { result, patch, details } = verdictOn(object);
      assert.deepEqual([result, patch], ['skipped', []]);
      assert.match(details[0] ?? '', reason);
    });
  }

  test('with a wrong annotation is not let in', () => {
    const { result } = verdictOn(service(one, { annotations: { 'tls-sidecar.dev/ports': 'A B' } }));
    assert.equal(result, 'refused');
  });
});

describe('a Service that is changed', () => {
  const plain = service([port({ targetPort: 80 })]);

  test('is left alone where it was not moved before: its Pods may be older than the webhook', () => {
    const verdict = verdictOn(plain, { operation: 'UPDATE', oldObject: plain });
    assert.deepEqual(verdict, { result: 'skipped', patch: [], details: [] });
  });

  test('stays moved where it was', () => {
    const update = { operation: 'UPDATE', oldObject: stored(plain) };
    assert.deepEqual(targetsOf(stored(plain, update)), [8080]);
  });

  test('is moved where it asks for it', () => {
    const asks = service([port({ targetPort: 80 })], { annotations: { 'tls-sidecar.dev/ports': '80' } });
    const update = { operation: 'UPDATE', oldObject: plain };
    assert.deepEqual(targetsOf(stored(asks, update)), [8080]);
    assert.equal(verdictOn(stored(asks, update), update).patch.length, 0, 'asked again, it stays so');
  });
});
