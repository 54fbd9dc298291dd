// From a review to the patched Pod: what the API server makes of the answer is what `inject` makes of the same Pod.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, type JsonObject, listAt, objectAt, textAt } from '../../../src/inject/edits/objects.ts';
import { inject } from '../../../src/inject/inject.ts';
import { readSettings } from '../../../src/inject/options.ts';
import { workloadOf } from '../../../src/inject/pod/workload.ts';
import type { InjectSettings } from '../../../src/inject/settings.ts';
import { isRejected, readReview, writeAnswer } from '../../../src/webhook/review.ts';
import { judge, type Verdict } from '../../../src/webhook/verdict.ts';
import { objectsIn, readFixtures, readGolden } from '../../inject/workloads.ts';
import { patched, podOf, type ReviewRequest, responseIn, reviewOf, UID } from '../../support/reviews.ts';

const settings = readSettings({ secret: ['web-tls'] }, '0.1.0', []);

function verdictOn(request: ReviewRequest, given: InjectSettings = settings): Verdict {
  const review = readReview(Buffer.from(reviewOf(request)));
  assert.ok(!isRejected(review));
  return judge(review, given);
}

/** The whole way: the review's bytes in, the Pod that the API server stores out. */
function stored(object: JsonObject, given: InjectSettings = settings): JsonObject {
  const { patch } = verdictOn({ object }, given);
  const answer = writeAnswer({ uid: UID, patch, warnings: [], refusal: undefined });
  return patched(object, responseIn(answer)) as JsonObject;
}

/** What the command makes of it. */
function byCommand(object: JsonObject, given: InjectSettings = settings): unknown {
  return JSON.parse(inject(JSON.stringify(object), given, 'pod').text);
}

/** The Pods that the workloads of a text make, before they have a name. */
function podsOf(text: string): JsonObject[] {
  return objectsIn(text).flatMap((object) => {
    const workload = workloadOf(object);
    if (workload === undefined) return [];
    const template = objectAt(object, workload.template);
    const { name: _, ...metadata } = objectAt(template, ['metadata']);
    const { spec } = template;
    return [
      { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, generateName: 'made-', namespace: 'shop' }, spec },
    ];
  });
}

describe('the stored Pod', () => {
  for (const { name, text, flags } of readFixtures()) {
    if (readGolden(name) === undefined) continue;
    const pods = podsOf(text);
    if (pods.length === 0) continue;
    test(`of ${name} is what the command makes of it, and stays so when it is asked again`, () => {
      const given = readSettings({ secret: ['web-tls'], ...flags }, '0.1.0', []);
      for (const pod of pods) {
        const once = stored(pod, given);
        assert.deepEqual(once, byCommand(pod, given));
        assert.deepEqual(stored(once, given), once);
      }
    });
  }

  test('with the defaults of the API server has the sidecar first, and keeps all that it had', () => {
    const pod = podOf();
    const after = stored(pod);
    assert.deepEqual(after, byCommand(pod));
    const [sidecar, ...others] = listAt(after, ['spec', 'initContainers']);
    assert.deepEqual([textAt(sidecar, ['name']), get(sidecar, ['restartPolicy'])], ['tls-sidecar', 'Always']);
    assert.deepEqual(others, []);
    assert.equal(get(after, ['metadata', 'generateName']), 'web-5d8f-');
    assert.equal(get(after, ['spec', 'volumes', 1, 'name']), 'kube-api-access-x');
  });

  test('follows its annotations before the flags', () => {
    const annotations = {
      'tls-sidecar.dev/mode': 'redirect',
      'tls-sidecar.dev/secret': 'shop-tls',
      'tls-sidecar.dev/ports': '80:8443',
      'tls-sidecar.dev/options': 'access-log=errors',
    };
    const pod = podOf({ metadata: { annotations } });
    const after = stored(pod);
    assert.deepEqual(after, byCommand(pod));
    const [init, sidecar] = listAt(after, ['spec', 'initContainers']);
    assert.equal(textAt(init, ['name']), 'tls-sidecar-init');
    assert.equal(get(after, ['spec', 'volumes', 0, 'secret', 'secretName']), 'shop-tls');
    const env = new Map((listAt(sidecar, ['env']) as JsonObject[]).map(({ name, value }) => [name, value]));
    assert.deepEqual([env.get('TLS_SIDECAR_LISTEN'), env.get('TLS_SIDECAR_ACCESS_LOG')], [':8443', 'errors']);
  });

  test('is the same for a dry run', () => {
    assert.deepEqual(verdictOn({ dryRun: true }), verdictOn({ dryRun: false }));
  });
});

describe('a Pod is let in as it is, with the reason,', () => {
  const annotated = (annotations: JsonObject): JsonObject => podOf({ metadata: { annotations } });
  const rows: readonly (readonly [why: string, request: ReviewRequest, reason: RegExp])[] = [
    ['when it opts out', { object: annotated({ 'tls-sidecar.dev/inject': 'false' }) }, /^opted out/],
    ['when it has the sidecar', { object: stored(podOf()) }, /^the sidecar is there already \(version 0\.1\.0\)/],
    ['with the network of the node', { object: podOf({ spec: { hostNetwork: true } }) }, /^hostNetwork/],
    ['of a kubelet', { object: annotated({ 'kubernetes.io/config.mirror': 'x' }) }, /^a mirror Pod/],
    ['without a port', { object: podOf({ spec: { containers: [{ name: 'a' }] } }) }, /declares no TCP port/],
    ['without containers', { object: podOf({ spec: { containers: [] } }) }, /^has no containers$/],
    ['without anything', { object: {} }, /^the kind is not supported$/],
    ['when it is changed', { operation: 'UPDATE' }, /is created, not on UPDATE$/],
    ['when it is deleted', { operation: 'DELETE', object: null }, /is created, not on DELETE$/],
    ['with a subresource', { subResource: 'ephemeralcontainers' }, /not "v1\/Pod" ephemeralcontainers$/],
  ];
  for (const [why, request, reason] of rows) {
    test(why, () => {
      const { result, patch, details } = verdictOn(request);
      assert.deepEqual([result, patch, details.length], ['skipped', [], 1]);
      assert.match(details[0] ?? '', reason);
    });
  }

  test('when it is none', () => {
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
    const [object] = objectsIn(readFixtures().find(({ name }) => name === 'podinfo')?.text ?? '');
    const { result, details } = verdictOn({ kind, object });
    assert.deepEqual([result, details], ['skipped', ['only new Pods get a sidecar, not "apps/v1/Deployment"']]);
  });
});

describe('a Pod is not let in', () => {
  test('when its annotations are wrong: it would run in plain HTTP', () => {
    const { result, patch, details } = verdictOn({
      object: podOf({
        metadata: { annotations: { 'tls-sidecar.dev/mode': 'ambient', 'tls-sidecar.dev/prots': '80' } },
      }),
    });
    assert.deepEqual([result, patch], ['refused', []]);
    assert.equal(details.length, 2);
    assert.ok(details.some((detail) => detail.includes('there is no annotation tls-sidecar.dev/prots')));
  });

  test('when neither it nor the webhook names a Secret', () => {
    const open = readSettings({}, '0.1.0', [], 'open');
    const { result, details } = verdictOn({}, open);
    assert.deepEqual(
      [result, details],
      ['refused', ['no Secret is named: say it with the annotation tls-sidecar.dev/secret']],
    );
    const own = podOf({ metadata: { annotations: { 'tls-sidecar.dev/secret': 'shop-tls' } } });
    assert.equal(verdictOn({ object: own }, open).result, 'injected');
  });

  test('when the port of the sidecar is taken', () => {
    const ports = [{ containerPort: 8080 }];
    const { result, details } = verdictOn({ object: podOf({ spec: { containers: [{ name: 'a', ports }] } }) });
    assert.equal(result, 'refused');
    assert.match(details[0] ?? '', /cannot accept TLS on port 8080/);
  });
});
