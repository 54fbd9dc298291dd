// What Kubernetes itself reads in the golden files: kubectl decodes them into its own types without a server, and whatever a
// release does not know would be missing in what it prints. Read as kubectl reads it, nothing of the input is lost either.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { applyPatch } from '../../src/inject/edits/json-patch.ts';
import { inject } from '../../src/inject/inject.ts';
import { injectObject } from '../../src/inject/object.ts';
import { readSettings } from '../../src/inject/options.ts';
import { KINDS } from '../../src/inject/pod/workload.ts';
import { generateManifest } from '../support/manifests.ts';
import { needs } from '../support/needs.ts';
import { fixtures, golden, readFixtures, readGolden, withoutOriginal } from './workloads.ts';

type Leaves = Map<string, unknown>;
type KubernetesObject = { kind: string; apiVersion: string; metadata?: { name?: string }; items?: KubernetesObject[] };

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

/** The objects in a file or a folder, without any knowledge of their types. */
function readUntyped(kubectl: string, file: URL): KubernetesObject[] {
  const args = ['annotate', '--local', '--overwrite', '-f', fileURLToPath(file), 'read=yes', '-o', 'json'];
  return concatenated(execFileSync(kubectl, args, { encoding: 'utf8', maxBuffer: 1e9 }));
}

/** The object as the release's own types hold it. */
function readTyped(kubectl: string, object: KubernetesObject): unknown {
  const file = join(folder, 'object.json');
  writeFileSync(file, JSON.stringify(object));
  const command =
    object.kind === 'Service'
      ? ['selector', '--local', '-f', file, 'read=yes']
      : ['image', '--local', '-f', file, '*=read:1'];
  return JSON.parse(execFileSync(kubectl, ['set', ...command, '-o', 'json'], { encoding: 'utf8' }));
}

/** kubectl prints one JSON text after the other. */
function concatenated(text: string): KubernetesObject[] {
  const objects = JSON.parse(`[${text.replaceAll(/^}\n\{/gm, '},\n{')}]`) as KubernetesObject[];
  return objects.flatMap((object) => (object.kind === 'List' ? (object.items ?? []) : [object]));
}

/** By path; items with a name are found by it. Empty values are left out, as Kubernetes leaves them out. */
function leavesOf(value: unknown, path = '', leaves: Leaves = new Map()): Leaves {
  if (Array.isArray(value)) {
    const named = new Set(value.map((item) => (item as { name?: unknown } | null)?.name)).size === value.length;
    for (const [at, item] of value.entries()) {
      const step = named ? ((item as { name?: unknown } | null)?.name ?? at) : at;
      leavesOf(item, `${path}/${step}`, leaves);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) leavesOf(item, `${path}/${key}`, leaves);
  } else if (value !== null && value !== undefined && value !== '') {
    leaves.set(path, value);
  }
  return leaves;
}

/** Images and the selector were set by the reading itself; a 0 may be left out. */
function missing(wanted: Leaves, found: Leaves): string[] {
  const own = /\/image$|\/spec\/selector\/|\/metadata\/annotations\/read$/;
  return [...wanted]
    .filter(([path, value]) => !own.test(path) && (found.get(path) ?? 0) !== value)
    .map(([path]) => path);
}
