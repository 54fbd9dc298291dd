// The fixtures of the golden files: which workload, and the flags that it is injected with. Their shapes are those of well
// known charts and of what people write; the text is ours.

import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { get, isObject, type JsonObject } from '../../src/inject/edits/objects.ts';
import { ORIGINAL } from '../../src/inject/settings.ts';

export const fixtures = new URL('fixtures/', import.meta.url);
export const golden = new URL('golden/', import.meta.url);

type Flags = Readonly<Record<string, readonly string[]>>;

const REDIRECT: Flags = { mode: ['redirect'] };

/** Flags beside --secret web-tls. */
const FLAGS: Readonly<Record<string, Flags>> = {
  'argo-rollout': {},
  'argocd-server': { 'listen-port': ['8443'] },
  'backup-cronjob': {},
  'block-scalars': {},
  crlf: REDIRECT,
  gitea: { 'app-port': ['http'], image: ['registry.example/tls-sidecar@sha256:0123'] },
  grafana: { container: ['grafana'] },
  'grpc-server': REDIRECT,
  guestbook: REDIRECT,
  'hello-pod': {},
  'ingress-nginx': {},
  'keycloak-8080': {},
  'keycloak-other-port': { 'app-port': ['http:8443'], 'memory-limit': ['512Mi'], mode: ['redirect'] },
  'kubectl-get-json': REDIRECT,
  'kubectl-get-list': {},
  'merge-keys': { 'app-port': ['8000'] },
  'merge-keys-redirect': { ...REDIRECT, 'app-port': ['8000'] },
  'migrate-job': { 'app-prestop-sleep': ['0'] },
  'node-exporter': {},
  'one-line-json': REDIRECT,
  'own-sidecar': {},
  'related-objects': {},
  podinfo: {},
  'podinfo-redirect': { ...REDIRECT, 'app-port': ['http', 'grpc'] },
  prometheus: { container: ['prometheus-server'], 'listen-port': ['8443'] },
  redis: { ...REDIRECT, 'admin-port': ['9902'] },
  replicaset: REDIRECT,
  'sidecar-metrics': REDIRECT,
  'tabs-json': {},
  'two-ports': { 'app-port': ['api', 'console'] },
  'two-ports-redirect': { ...REDIRECT, 'app-port': ['9000', '9001:9443'] },
  'web-server': {},
  wordpress: { ...REDIRECT, probes: ['rewrite'] },
};

export type Fixture = { readonly name: string; readonly text: string; readonly flags: Flags };

export function readFixtures(): Fixture[] {
  const files = readdirSync(fixtures).map((file) => file.replace(/\.yaml$/, ''));
  return [...new Set([...files, ...Object.keys(FLAGS)])].sort().map((name) => {
    const flags = FLAGS[name];
    if (flags === undefined) throw new Error(`test/inject/workloads.ts has no flags for ${name}`);
    return { name, text: readFileSync(new URL(`${name}.yaml`, fixtures), 'utf8'), flags };
  });
}

/** Undefined where the injection was refused. */
export function readGolden(name: string): string | undefined {
  try {
    return readFileSync(new URL(`${name}.yaml`, golden), 'utf8');
  } catch {
    return undefined;
  }
}

/** The objects in a text, those of Lists too, with everything that is shared by aliases written out. */
export function objectsIn(text: string): JsonObject[] {
  const documents = parseAllDocuments(text.replace(/\}\n\{/, '}\n---\n{'), { version: '1.1' });
  const values = JSON.parse(JSON.stringify(documents.map((document) => document.toJS() as unknown))) as unknown[];
  return values.flatMap((value) => (get(value, ['kind']) === 'List' ? get(value, ['items']) : value)).filter(isObject);
}

/** Without the records, in which how something was written is the text's own. */
export function withoutOriginal(object: unknown): unknown {
  return JSON.parse(JSON.stringify(object, (key, value: unknown) => (key === ORIGINAL ? '' : value)));
}
