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
import { leavesOf, missing, readTyped, readUntyped } from '../support/kubectl.ts';
import { generateManifest } from '../support/manifests.ts';
import { needs } from '../support/needs.ts';
import { fixtures, golden, readFixtures, readGolden, withoutOriginal } from './workloads.ts';

const folder = mkdtempSync(join(tmpdir(), 'tls-sidecar-kubectl-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const injected = readFixtures().filter(({ name, text }) => ![undefined, text].includes(readGolden(name)));

for (const kubectl of ['kubectl-1.29', 'kubectl-1.35']) {
  describe(kubectl, () => {
    for (const { name, flags } of injected) {
      test(`knows every field of ${name}`, (t) => {
        if (!needs(t, kubectl)) return;
        const objects = readUntyped(kubectl, new URL(`${name}.yaml`, golden)).filter(
          ({ kind, apiVersion }) => kind === 'Service' || (KINDS.includes(kind) && !apiVersion.includes('argoproj')),
        );
        assert.ok(objects.length > 0);
        for (const object of objects) {
          const lost = missing(leavesOf(object), leavesOf(readTyped(kubectl, object)));
          assert.deepEqual(lost, [], `${object.kind}/${object.metadata?.name}`);
        }
      });

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
