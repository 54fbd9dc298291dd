// What an injection does to a Pod's security: nothing in target-port mode, and exactly one capability, of one container that
// runs as root, in redirect mode.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JsonObject, objectAt } from '../../src/inject/edits/objects.ts';
import { workloadOf } from '../../src/inject/pod/workload.ts';
import { judge } from '../support/pod-security.ts';
import { objectsIn, readFixtures, readGolden } from './workloads.ts';

function podSpecs(text: string): JsonObject[] {
  return objectsIn(text).flatMap((object) => {
    const workload = workloadOf(object);
    return workload === undefined ? [] : [objectAt(object, [...workload.template, 'spec'])];
  });
}

const INIT = 'tls-sidecar-init';

for (const { name, text, flags } of readFixtures()) {
  const golden = readGolden(name);
  if (golden === undefined) continue;
  const isRedirect = flags.mode?.[0] === 'redirect';
  test(`${name} breaks no more controls than before${isRedirect ? ', but for the init container' : ''}`, () => {
    const [before, after] = [text, golden].map((one) => podSpecs(one).map(judge));
    assert.ok(before && after && after.length > 0);
    for (const [at, verdict] of after.entries()) {
      const added = isRedirect ? [`${INIT}: capabilities.add NET_ADMIN`] : [];
      assert.deepEqual(verdict.baseline.toSorted(), [...(before[at]?.baseline ?? []), ...added].toSorted());
      const root = isRedirect ? [`${INIT}: runAsNonRoot`, `${INIT}: runAsUser 0`, ...added] : [];
      assert.deepEqual(verdict.restricted.toSorted(), [...(before[at]?.restricted ?? []), ...root].toSorted());
    }
  });
}

test('an app that passes "restricted" still does with the sidecar, as a whole Pod', () => {
  const [spec] = podSpecs(readGolden('argocd-server') ?? '');
  assert.ok(spec !== undefined && Array.isArray(spec.initContainers));
  assert.deepEqual(judge(spec), { baseline: [], restricted: [] });
});
