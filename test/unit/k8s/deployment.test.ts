// The Deployment of k8s/, and the Component that makes one of any workload: what Kubernetes knows of them, what Pod Security
// says, and that all files that go together use the same names.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type JsonObject, objectAt } from '../../../src/inject/edits/objects.ts';
import { type KubernetesObject, unknownTo } from '../../support/kubectl.ts';
import { needs } from '../../support/needs.ts';
import { KUBECTLS } from '../../support/peers.ts';
import { judge } from '../../support/pod-security.ts';

const folder = new URL('../../../k8s/', import.meta.url);
const work = mkdtempSync(join(tmpdir(), 'tls-sidecar-k8s-'));
after(() => rmSync(work, { recursive: true, force: true }));

type Found = KubernetesObject & JsonObject;

function parse(text: string): Found[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    return document.toJS() as Found;
  });
}

const read = (file: string): Found[] => parse(readFileSync(new URL(file, folder), 'utf8'));

function of(objects: Found[], kind: string, name?: string): Found {
  const found = objects.find(
    (object) => object.kind === kind && (name === undefined || object.metadata?.name === name),
  );
  assert.ok(found, `there is a ${kind}`);
  return found;
}

const podOf = (workload: Found): JsonObject => objectAt(workload, ['spec', 'template', 'spec']);

/** Of init containers and containers, by name. */
function container(pod: JsonObject, name: string): JsonObject {
  const all = [pod.initContainers, pod.containers].flatMap((list) => (Array.isArray(list) ? list : [])) as JsonObject[];
  const found = all.find((one) => one.name === name);
  assert.ok(found, `there is a container ${name}`);
  return found;
}

const APP = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      initContainers: [{ name: migrate, image: "migrate:1" }]
      containers: [{ name: app, image: "app:1", ports: [{ containerPort: 80 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 443, targetPort: 80 }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db, labels: { tls-sidecar.dev/inject: "false" } }
spec:
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec: { containers: [{ name: db, image: "db:1" }] }
`;

/** What kustomize makes of an app with the Component; nothing of the folder but these files is read. */
function built(kubectl: string): Found[] {
  cpSync(fileURLToPath(new URL('component', folder)), join(work, 'component'), { recursive: true });
  writeFileSync(join(work, 'web.yaml'), APP);
  writeFileSync(join(work, 'kustomization.yaml'), 'resources: [web.yaml]\ncomponents: [component]\n');
  return parse(execFileSync(kubectl, ['kustomize', work], { encoding: 'utf8' }));
}

for (const kubectl of KUBECTLS) {
  test(`${kubectl} knows every field of deployment.yaml, and of what the Component makes`, (t) => {
    if (!needs(t, kubectl)) return;
    for (const object of [...read('deployment.yaml'), ...built(kubectl)])
      assert.deepEqual(unknownTo(kubectl, object), [], `${object.kind}/${object.metadata?.name}`);
  });

  test(`${kubectl} puts the sidecar before all other init containers, and leaves out what opts out`, (t) => {
    if (!needs(t, kubectl)) return;
    const objects = built(kubectl);
    const pod = podOf(of(objects, 'Deployment'));
    assert.deepEqual(
      (pod.initContainers as JsonObject[]).map(({ name }) => name),
      ['tls-sidecar', 'migrate'],
    );
    assert.deepEqual(objectAt(of(objects, 'Service'), ['spec']).ports, [{ port: 443, targetPort: 8080 }]);
    assert.equal(podOf(of(objects, 'StatefulSet')).initContainers, undefined);
  });
}

describe('deployment.yaml', () => {
  const objects = read('deployment.yaml');
  const pod = podOf(of(objects, 'Deployment'));

  test('passes Pod Security "restricted" as a whole Pod', () => {
    assert.deepEqual(judge(pod), { baseline: [], restricted: [] });
  });

  test('lets the app sleep longer than the sidecar takes new connections, within the time of the Pod', () => {
    assert.deepEqual(objectAt(container(pod, 'app'), ['lifecycle', 'preStop']), { sleep: { seconds: 8 } });
    assert.deepEqual(objectAt(container(pod, 'tls-sidecar'), ['lifecycle', 'preStop', 'exec']).command, [
      '/nodejs/bin/node',
      '/app/proxy.js',
      'drain',
    ]);
    assert.ok(Number(pod.terminationGracePeriodSeconds) >= 8 + 25);
  });

  test('has the same sidecar as the Component, but for the port of its app', () => {
    const [patch] = read('component/sidecar.yaml');
    assert.ok(patch);
    const normal = (one: JsonObject): string => JSON.stringify(one).replace('localhost:3000', 'localhost:80');
    assert.equal(normal(container(pod, 'tls-sidecar')), normal(container(podOf(patch), 'tls-sidecar')));
    assert.deepEqual(podOf(patch).volumes, pod.volumes);
  });

  test('goes with the NetworkPolicy and the Certificate', () => {
    const policy = objectAt(of(read('network-policy.yaml'), 'NetworkPolicy'), ['spec']);
    assert.deepEqual(policy.podSelector, objectAt(of(objects, 'Deployment'), ['spec']).selector);
    const ports = (policy.ingress as JsonObject[])
      .flatMap((rule) => rule.ports as JsonObject[])
      .map(({ port }) => port);
    assert.deepEqual(ports, [8080, 9901]);
    assert.equal((policy.ingress as JsonObject[])[0]?.from, undefined);
    assert.ok((policy.ingress as JsonObject[])[1]?.from, 'the admin port is for Prometheus only');
    const certificate = objectAt(of(read('cert-manager.yaml'), 'Certificate', 'web-tls'), ['spec']);
    const [volume] = pod.volumes as JsonObject[];
    assert.equal(certificate.secretName, objectAt(volume as JsonObject, ['secret']).secretName);
  });

  test('names only issuers that cert-manager.yaml has', () => {
    const all = read('cert-manager.yaml');
    for (const object of all.filter(({ kind }) => kind === 'Certificate'))
      of(all, 'Issuer', String(objectAt(object, ['spec', 'issuerRef']).name));
  });
});
