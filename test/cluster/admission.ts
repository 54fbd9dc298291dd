// What the API server itself says of every manifest in k8s/ and of everything that inject makes of the fixtures: server-side
// apply as a dry run with strict validation of fields, and Pod Security as namespaces enforce it.

import { deepEqual, equal } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { get, type JsonObject, listAt, nameOf, objectAt, textAt } from '../../src/inject/edits/objects.ts';
import { workloadOf } from '../../src/inject/pod/workload.ts';
import { fixtures, golden, readFixtures, readGolden } from '../inject/workloads.ts';
import { readUntyped } from '../support/kubectl.ts';
import { type Api, Refused } from './api.ts';
import { step } from './terminal.ts';

const manifests = new URL('../../k8s/', import.meta.url);
const OURS = ['tls-sidecar', 'tls-sidecar-init'];
const EXEMPTION = 'non-default capabilities';
type Level = 'restricted' | 'baseline';

/** `kubectl` reads the files, as it does for whoever applies them. */
export async function admission(api: Api, kubectl: string): Promise<void> {
  const read = (file: URL) => readUntyped(kubectl, file) as JsonObject[];
  for (const [name, labels] of [
    ['restricted', { 'pod-security.kubernetes.io/enforce': 'restricted' }],
    ['baseline', { 'pod-security.kubernetes.io/enforce': 'baseline' }],
    ['unenforced', {}],
  ] as const)
    await namespaceFor(api, name, labels);

  const files = manifestsRead(read);
  await step(`manifests: ${files.size} files of k8s/`, async () => {
    const counts = new Counts();
    for (const [file, objects] of files) for (const object of objects) await applied(api, object, file, counts);
    return counts.told();
  });
  await step('manifests: Pod Security', () => judgeManifests(api, files));

  const injected = readFixtures()
    .filter(({ name }) => readGolden(name) !== undefined)
    .map(({ name, flags }) => ({
      name,
      before: read(new URL(`${name}.yaml`, fixtures)),
      after: read(new URL(`${name}.yaml`, golden)),
      isRedirect: flags.mode?.[0] === 'redirect',
    }));
  await step(`injected: ${injected.length} golden files`, async () => {
    const counts = new Counts();
    for (const { name, before, after } of injected)
      for (const [at, object] of after.entries()) await applied(api, object, name, counts, before[at]);
    return counts.told();
  });
  await step('injected: Pod Security', async () => {
    const counted = { targetPort: 0, redirect: 0 };
    for (const one of injected) {
      const pods = await judgeInjected(api, one);
      counted[one.isRedirect ? 'redirect' : 'targetPort'] += pods;
    }
    const { targetPort, redirect } = counted;
    return `${targetPort} Pods under restricted, ${redirect} under baseline with the one exemption`;
  });
}

export async function namespaceFor(api: Api, name: string, labels: Readonly<Record<string, string>>): Promise<void> {
  await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }, '');
  // The controllers would make it; the API server alone wants it for every Pod.
  await api.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }, name);
}

function manifestsRead(read: (file: URL) => JsonObject[]): Map<string, JsonObject[]> {
  const files = ['', 'monitoring/'].flatMap((folder) =>
    readdirSync(new URL(folder, manifests))
      .filter((file) => file.endsWith('.yaml') && file !== 'kustomization.yaml')
      .map((file) => `${folder}${file}`),
  );
  return new Map(files.map((file) => [file, read(new URL(file, manifests))]));
}

class Counts {
  readonly #unknown = new Set<string>();
  readonly #refused: string[] = [];
  #objects = 0;

  add(): void {
    this.#objects++;
  }

  unknown(object: JsonObject): void {
    this.#unknown.add(textAt(object, ['kind']) ?? '');
  }

  refusedBefore(of: string): void {
    this.#refused.push(of);
  }

  told(): string {
    const told = [`${this.#objects} objects`];
    if (this.#unknown.size > 0) told.push(`not known to this server: ${[...this.#unknown].sort().join(', ')}`);
    if (this.#refused.length > 0) told.push(`refused with and without the sidecar: ${this.#refused.join(', ')}`);
    return told.join('; ');
  }
}

/** An object that is refused must have been refused before, with the same words. */
async function applied(api: Api, object: JsonObject, from: string, counts: Counts, before?: JsonObject): Promise<void> {
  if (!(await api.knows(object))) return counts.unknown(object);
  const refusal = await refusalOf(api, object);
  if (refusal === undefined) return counts.add();
  const was = before === undefined ? undefined : await refusalOf(api, before);
  equal(refusal, was, `${from}: ${nameOf(object)}`);
  counts.refusedBefore(`${nameOf(object)} of ${from}`);
}

async function refusalOf(api: Api, object: JsonObject): Promise<string | undefined> {
  try {
    await api.apply(withoutServerFields(object), 'unenforced', { dryRun: true });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What `kubectl get` printed has fields that only a server writes, and addresses of its own cluster. */
function withoutServerFields(object: JsonObject): JsonObject {
  const { status: _, ...rest } = object;
  const {
    uid: _1,
    resourceVersion: _2,
    creationTimestamp: _3,
    generation: _4,
    managedFields: _5,
    ...metadata
  } = objectAt(object, ['metadata']);
  const { clusterIP: _6, clusterIPs: _7, ...spec } = objectAt(object, ['spec']);
  return { ...rest, metadata, ...(object.kind === 'Service' ? { spec } : {}) };
}

async function judgeManifests(api: Api, files: ReadonlyMap<string, readonly JsonObject[]>): Promise<string> {
  let pods = 0;
  for (const [file, objects] of files) {
    for (const pod of podsIn(objects)) {
      pods++;
      const [restricted, baseline] = [await verdict(api, pod, 'restricted'), await verdict(api, pod, 'baseline')];
      const isRedirect = file === 'redirect.yaml';
      deepEqual(blamed(baseline), isRedirect ? [EXEMPTION] : [], `${file} under baseline`);
      deepEqual([...baseline.keys()], isRedirect ? [EXEMPTION] : [], `${file} under baseline`);
      if (!isRedirect) deepEqual(blamed(restricted), [], `${file} under restricted`);
      if (file === 'deployment.yaml') deepEqual([...restricted], [], `${file} passes restricted as a whole`);
    }
  }
  return `${pods} Pods`;
}

type Injected = { name: string; before: JsonObject[]; after: JsonObject[]; isRedirect: boolean };

/** Nothing is refused that was not refused before, but for what redirect mode needs. */
async function judgeInjected(api: Api, { name, isRedirect, ...objects }: Injected): Promise<number> {
  const level = isRedirect ? 'baseline' : 'restricted';
  const [before, after] = [podsIn(objects.before), podsIn(objects.after)];
  for (const [at, pod] of after.entries()) {
    const original = before[at];
    if (original === undefined) throw new Error(`${name} has more Pods than its fixture`);
    const [was, is] = [await verdict(api, original, level), await verdict(api, pod, level)];
    const isInjected = JSON.stringify(pod) !== JSON.stringify(original);
    const added = isRedirect && isInjected ? [EXEMPTION] : [];
    deepEqual(blamed(is), added, `${name}: what ${level} holds against the sidecar`);
    deepEqual([...is.keys()].sort(), [...new Set([...was.keys(), ...added])].sort(), `${name} under ${level}`);
  }
  return after.length;
}

function podsIn(objects: readonly JsonObject[]): JsonObject[] {
  return objects.flatMap((object) => {
    const workload = workloadOf(object);
    if (workload === undefined) return [];
    const metadata = objectAt(object, [...workload.template, 'metadata']);
    // Objects beside the Pod that are not there; Pod Security does not ask for them.
    const {
      serviceAccountName: _1,
      serviceAccount: _2,
      priorityClassName: _3,
      nodeName: _4,
      ...spec
    } = objectAt(object, [...workload.template, 'spec']);
    const { labels, annotations } = metadata;
    // A StatefulSet's controller mounts what it claims for the Pod.
    const claimed = listAt(object, ['spec', 'volumeClaimTemplates']).map((claim) => ({
      name: get(claim, ['metadata', 'name']),
      persistentVolumeClaim: { claimName: 'claimed' },
    }));
    const volumes = [...listAt(spec, ['volumes']), ...claimed];
    // Only a Pod's own may be left out: the server writes it into those of templates.
    const restartPolicy = textAt(spec, ['restartPolicy']) ?? 'Always';
    return [
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { generateName: 'judged-', ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) },
        spec: { ...spec, volumes, restartPolicy },
      },
    ];
  });
}

/** The controls that it breaks, each with what the server says of it. */
async function verdict(api: Api, pod: JsonObject, level: Level): Promise<Map<string, string>> {
  try {
    await api.create(`/api/v1/namespaces/${level}/pods?dryRun=All&fieldValidation=Strict`, pod);
    return new Map();
  } catch (error) {
    const message = error instanceof Refused && error.status === 403 ? error.message : undefined;
    const list = message?.split(/violates PodSecurity "[^"]*": /)[1];
    if (list === undefined) throw error;
    // "control (what of it), control (what of it)"
    return new Map(
      [...list.matchAll(/([^(),][^(]*?) \((.*?)\)(?:, |$)/g)].map(([, control = '', of = '']) => [control, of]),
    );
  }
}

/** The controls that the server holds against one of our containers. */
function blamed(verdict: ReadonlyMap<string, string>): string[] {
  return [...verdict].filter(([, of]) => OURS.some((name) => of.includes(`"${name}"`))).map(([control]) => control);
}
