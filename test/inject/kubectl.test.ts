// What Kubernetes itself reads in the golden files: kubectl decodes them into its own types without a server, and whatever a
// release does not know would be missing in what it prints. Read as kubectl reads it, nothing of the input is lost either.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { applyPatch } from '../../src/inject/edits/json-patch.ts';
import { inject } from '../../src/inject/inject.ts';
import { injectObject } from '../../src/inject/object.ts';
import { readSettings } from '../../src/inject/options.ts';
import { KINDS } from '../../src/inject/pod/workload.ts';
import { type KubernetesObject, leavesOf, missing, readAllTyped, readUntyped } from '../support/kubectl.ts';
import { generateManifest } from '../support/manifests.ts';
import { needs } from '../support/needs.ts';
import { KUBECTLS } from '../support/peers.ts';
import { fixtures, golden, readFixtures, readGolden, withoutOriginal } from './workloads.ts';

const folder = mkdtempSync(join(tmpdir(), 'tls-sidecar-kubectl-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const injected = readFixtures().filter(({ name, text }) => ![undefined, text].includes(readGolden(name)));

/** Of all golden files; without types, so the same in all releases. */
const objectsBy = once((kubectl: string): Map<string, KubernetesObject[]> => {
  const known = ({ kind, apiVersion }: KubernetesObject): boolean =>
    kind === 'Service' || (KINDS.includes(kind) && !apiVersion.includes('argoproj'));
  const read = (name: string): KubernetesObject[] =>
    readUntyped(kubectl, new URL(`${name}.yaml`, golden)).filter(known);
  return new Map(injected.map(({ name }) => [name, read(name)]));
});

function once<T>(make: (kubectl: string) => T): (kubectl: string) => T {
  let made: { readonly value: T } | undefined;
  return (kubectl) => {
    made ??= { value: make(kubectl) };
    return made.value;
  };
}

for (const kubectl of KUBECTLS) {
  const typed = once(() => {
    const all = [...objectsBy(kubectl).values()].flat();
    const found = readAllTyped(kubectl, all);
    return new Map(all.map((object, at) => [object, found[at]]));
  });

  describe(kubectl, () => {
    for (const { name, flags } of injected) {
      test(`knows every field of ${name}`, (t) => {
        if (!needs(t, kubectl)) return;
        const objects = objectsBy(kubectl).get(name) ?? [];
        assert.ok(objects.length > 0);
        for (const object of objects) {
          const lost = missing(leavesOf(object), leavesOf(typed(kubectl).get(object)));
          assert.deepEqual(lost, [], `${object.kind}/${object.metadata?.name}`);
        }
      });

      // Without types, so the same in all releases.
      if (![KUBECTLS.at(0), KUBECTLS.at(-1)].includes(kubectl)) continue;
      test(`finds all of the input in ${name}`, (t) => {
        if (!needs(t, kubectl)) return;
        const [before, now] = [fixtures, golden].map((place) => readUntyped(kubectl, new URL(`${name}.yaml`, place)));
        const changed =
          flags.mode?.[0] === 'redirect' ? /(Probe|postStart|preStop)\/(httpGet|tcpSocket|grpc)\// : /\/targetPort$/;
        for (const [at, object] of (before ?? []).entries()) {
          const lost = missing(leavesOf(object), leavesOf(now?.[at]));
          assert.deepEqual(
            lost.filter((path) => !changed.test(path)),
            [],
          );
        }
      });
    }
  });
}

test('kubectl reads in generated manifests what the engine makes of the objects', (t) => {
  const kubectl = 'kubectl-1.35';
  if (!needs(t, kubectl)) return;
  const settings = readSettings({ secret: ['web-tls'], mode: ['redirect'] }, '0.1.0', []);
  const places = ['before', 'after'].map((name) => new URL(`${name}/`, `file://${folder}/`));
  for (const place of places) mkdirSync(place);
  for (let seed = 10_000; seed < 10_200; seed++) {
    const { text } = generateManifest(seed);
    for (const [at, one] of [text, inject(text, settings, 'stdin').text].entries())
      writeFileSync(new URL(`${seed}.yaml`, places[at]), one);
  }
  const [before = [], now = []] = places.map((place) => readUntyped(kubectl, place));
  assert.equal(now.length, before.length);
  for (const [at, object] of before.entries()) {
    const { patch } = injectObject(object, settings);
    assert.deepEqual(withoutOriginal(now[at]), withoutOriginal(applyPatch(object, patch)), object.kind);
  }
});
