// What no Pod or Service has is refused before it is compared with each other: one review must not hold up all others.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type JsonObject, listAt } from '../../../src/inject/edits/objects.ts';
import { readSettings } from '../../../src/inject/options.ts';
import { isRejected, readReview } from '../../../src/webhook/review.ts';
import { judge, type Verdict } from '../../../src/webhook/verdict.ts';
import { podOf, reviewOf } from '../../support/reviews.ts';

const settings = readSettings({ secret: ['web-tls'] }, '0.1.0', []);
const SERVICE = { group: '', version: 'v1', kind: 'Service' };
const FAR_TOO_MANY = 20_000;

function many<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at + 1));
}

function serviceOf(count: number): JsonObject {
  const annotations = { 'tls-sidecar.dev/ports': '80' };
  const ports = many(count, (port) => ({ name: `p${port}`, port, targetPort: 79 + port }));
  return { apiVersion: 'v1', kind: 'Service', metadata: { annotations }, spec: { selector: { app: 'web' }, ports } };
}

function verdictOn(object: JsonObject): Verdict {
  const review = readReview(Buffer.from(reviewOf({ object, ...(object.kind === 'Service' && { kind: SERVICE }) })));
  assert.ok(!isRejected(review));
  return judge(review, settings);
}

describe('a review of an object that lists too much', () => {
  const container = (at: number): JsonObject => ({ name: `c${at}`, image: 'a', ports: [{ containerPort: at }] });
  const cases: Readonly<Record<string, [JsonObject, RegExp]>> = {
    'containers of a Pod': [podOf({ spec: { containers: many(FAR_TOO_MANY, container) } }), /20000 containers/],
    'init containers of a Pod': [
      podOf({ spec: { initContainers: many(FAR_TOO_MANY, (at) => ({ name: `c${at}` })) } }),
      /20001 containers/,
    ],
    'ports of a container': [
      podOf({
        spec: { containers: [{ name: 'a', ports: many(FAR_TOO_MANY, (containerPort) => ({ containerPort })) }] },
      }),
      /20000 ports/,
    ],
    'volumes of a Pod': [
      podOf({ spec: { volumes: many(FAR_TOO_MANY, (at) => ({ name: `v${at}` })) } }),
      /20000 volumes/,
    ],
    'ports of a Service': [serviceOf(FAR_TOO_MANY), /20000 ports/],
    'ports of an annotation': [
      podOf({ metadata: { annotations: { 'tls-sidecar.dev/ports': many(FAR_TOO_MANY, String).join() } } }),
      /the annotation tls-sidecar.dev\/ports has more than 4096 characters/,
    ],
  };
  for (const [what, [object, said]] of Object.entries(cases)) {
    test(`is refused, and says so in one line (${what})`, () => {
      const { result, patch, details } = verdictOn(object);
      assert.deepEqual([result, patch.length, details.length], ['refused', 0, 1]);
      assert.match(details[0] ?? '', said);
    });
  }

  test('is judged as ever where it lists as much as the limit', () => {
    assert.equal(verdictOn(serviceOf(512)).result, 'injected');
    const containers = [
      ...listAt(podOf(), ['spec', 'containers']),
      ...many(500, (at) => ({ ...container(at), ports: [] })),
    ];
    assert.equal(verdictOn(podOf({ spec: { containers } })).result, 'injected');
  });

  test('is judged as ever where only its record of an injection is long', () => {
    const annotations = { 'tls-sidecar.dev/original': 'x'.repeat(8192) };
    assert.equal(verdictOn(podOf({ metadata: { annotations } })).result, 'injected');
  });
});
