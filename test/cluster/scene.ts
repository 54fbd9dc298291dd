// A namespace with the app `web`, as the story handles it: its Pods, its Secret, its rollouts, and what its sidecars say.

import { deepEqual } from 'node:assert/strict';
import { get as getHttp } from 'node:http';
import { connect } from 'node:tls';
import { type Authority, createAuthority, type Issued } from '../../certs/authority.ts';
import { get, isObject, type JsonObject, listAt, textAt } from '../../src/inject/edits/objects.ts';
import type { Api } from './api.ts';
import { type Total, underLoad } from './loads.ts';
import { hasCondition } from './objects.ts';
import { until } from './wait.ts';

const SIDECAR = 'tls-sidecar';

export type Pod = { readonly name: string; readonly ip: string; readonly object: JsonObject };

export class Scene {
  readonly namespace: string;
  readonly #api: Api;
  readonly #authority: Authority;
  /** Of the app's port, as clients dial the Service. */
  readonly #port: number;
  /** Where a Pod's own address speaks TLS. */
  tlsPort = 8080;
  readonly total = { requests: 0, failed: 0, rollouts: 0, rotations: 0 };

  private constructor(api: Api, namespace: string, authority: Authority, port: number) {
    this.#api = api;
    this.namespace = namespace;
    this.#authority = authority;
    this.#port = port;
  }

  /** With a namespace that enforces `level`, and the Secret `web-tls`. */
  static async in(api: Api, namespace: string, level: 'baseline' | 'privileged'): Promise<Scene> {
    const metadata = { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': level } };
    await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata }, '');
    const scene = new Scene(api, namespace, await createAuthority({ commonName: `CA of ${namespace}` }), 80);
    await until(() => api.find(scene.path('serviceaccounts/default')), { what: `namespace ${namespace}` });
    await scene.putSecret(await scene.issue());
    return scene;
  }

  path(of: string, group = '/api/v1'): string {
    return `${group}/namespaces/${this.namespace}/${of}`;
  }

  issue(): Promise<Issued> {
    return this.#authority.issue({ dns: ['web', `web.${this.namespace}.svc`] });
  }

  async putSecret({ chain, key }: { chain: string; key: string }): Promise<void> {
    const data = { 'tls.crt': Buffer.from(chain).toString('base64'), 'tls.key': Buffer.from(key).toString('base64') };
    const metadata = { name: 'web-tls' };
    await this.#api.apply(
      { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data },
      this.namespace,
    );
  }

  /** Those that are meant to stay. */
  async pods(): Promise<Pod[]> {
    return (await this.#allPods())
      .filter((object) => !isEnding(object))
      .map((object) => ({
        object,
        name: textAt(object, ['metadata', 'name']) ?? '',
        ip: textAt(object, ['status', 'podIP']) ?? '',
      }));
  }

  #allPods(): Promise<JsonObject[]> {
    return this.#api.items(this.path('pods?labelSelector=app.kubernetes.io/name%3Dweb'));
  }

  async readyPods(): Promise<Pod[]> {
    return (await this.pods()).filter(({ object }) => hasCondition(object, 'Ready'));
  }

  async scale(replicas: number): Promise<void> {
    await this.#api.patch(this.path('deployments/web', '/apis/apps/v1'), { spec: { replicas } });
  }

  /** As `kubectl rollout restart` does it. */
  async restart(): Promise<void> {
    this.total.rollouts++;
    const annotations = { 'kubectl.kubernetes.io/restartedAt': `${new Date().toISOString()}` };
    await this.#api.patch(this.path('deployments/web', '/apis/apps/v1'), {
      spec: { template: { metadata: { annotations } } },
    });
  }

  /** As `kubectl rollout status` sees it. */
  async rolledOut(): Promise<void> {
    await until(
      async () => {
        const object = await this.#api.get(this.path('deployments/web', '/apis/apps/v1'));
        const number = (...path: string[]) => Number(get(object, path) ?? 0);
        const wanted = number('spec', 'replicas');
        const [all, updated, available] = ['replicas', 'updatedReplicas', 'availableReplicas'].map((name) =>
          number('status', name),
        );
        const isSeen = number('status', 'observedGeneration') >= number('metadata', 'generation');
        if (isSeen && updated === wanted && all === wanted && available === wanted) return true;
        throw new Error(
          `of ${wanted} replicas ${updated} are updated, ${available} available; ${await this.#whatPodsWaitFor()}`,
        );
      },
      { what: `the rollout in ${this.namespace}`, limitMs: 180_000 },
    );
  }

  /** Rolled out, what was there before is gone, and no rule leads to it any more. */
  async settled(): Promise<void> {
    await this.rolledOut();
    const { address, port } = await this.#ways();
    await until(async () => (await this.#allPods()).every((pod) => !isEnding(pod)), {
      what: 'the end of the old Pods',
    });
    await until(
      async () => {
        for (let at = 0; at < 20; at++) await this.serialAt(address, port);
        return true;
      },
      { what: 'twenty connections to the Service, one after the other' },
    );
  }

  async #whatPodsWaitFor(): Promise<string> {
    const events = await this.#api.items(this.path('events'));
    const warnings = events.filter((event) => textAt(event, ['type']) === 'Warning').slice(-4);
    const told = warnings.map((event) => `${textAt(event, ['reason'])}: ${textAt(event, ['message'])?.slice(0, 300)}`);
    const states = (await this.pods()).map(({ name, object }) => `${name} is ${textAt(object, ['status', 'phase'])}`);
    return [...states, ...told].join('; ');
  }

  async #ways() {
    const service = await this.#api.get(this.path('services/web'));
    return {
      address: textAt(service, ['spec', 'clusterIP']) ?? '',
      nodePort: Number(get(service, ['spec', 'ports', 0, 'nodePort'])),
      port: this.#port,
      name: 'web',
      ca: this.#authority.rootPem,
    };
  }

  /** Fails if a single request does. */
  async underLoad(work: () => Promise<void>): Promise<string> {
    const counted = await underLoad(await this.#ways(), work);
    this.total.requests += counted.requests;
    this.total.failed += counted.failed;
    deepEqual(counted.failures, []);
    return `${counted.requests} requests, 0 failed`;
  }

  /** Says what failed, and leaves it to the caller what that means. */
  async underLoadThatMayFail(work: () => Promise<void>): Promise<Total> {
    return underLoad(await this.#ways(), work);
  }

  answersByTls(): Promise<string> {
    return this.underLoad(() => this.settled());
  }

  /** By a new connection. */
  async serialAt(host: string, port: number): Promise<string> {
    const socket = connect({ host, port, servername: 'web', ca: this.#authority.rootPem, timeout: 10_000 });
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('timeout', () => socket.destroy(new Error('no handshake within 10 s')));
      socket.on('secureConnect', () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.end();
      });
    });
  }

  async log(pod: Pod): Promise<string> {
    return (await this.#api.send('GET', this.path(`pods/${pod.name}/log?container=${SIDECAR}`))).text;
  }

  async metric(pod: Pod, row: string): Promise<number> {
    const { body } = await plainGet(pod.ip, 9901, '/metrics');
    const line = body.split('\n').find((one) => one.startsWith(`${row} `));
    return line === undefined ? 0 : Number(line.slice(row.length));
  }

  /** Of the object with that name. */
  async events(about: string): Promise<{ reason: string; message: string }[]> {
    const events = await this.#api.items(this.path('events'));
    return events
      .filter((event) => textAt(event, ['involvedObject', 'name']) === about)
      .map((event) => ({ reason: textAt(event, ['reason']) ?? '', message: textAt(event, ['message']) ?? '' }));
  }

  /** As `kubectl drain` asks: refused while a PodDisruptionBudget forbids it. */
  async evict({ name }: Pod): Promise<void> {
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: this.namespace } };
    await until(
      async () => {
        const { status, text } = await this.#api.send('POST', this.path(`pods/${name}/eviction`), body);
        if (status >= 300) throw new Error(text);
        return true;
      },
      { what: `the eviction of ${name}`, limitMs: 180_000 },
    );
  }
}

function isEnding(object: JsonObject): boolean {
  return get(object, ['metadata', 'deletionTimestamp']) !== undefined;
}

export function sidecarStatus({ object }: Pod): JsonObject {
  const all = [
    ...listAt(object, ['status', 'initContainerStatuses']),
    ...listAt(object, ['status', 'containerStatuses']),
  ];
  const found = all.find((one) => get(one, ['name']) === SIDECAR);
  return isObject(found) ? found : {};
}

export function plainGet(host: string, port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = getHttp({ host, port, path, agent: false, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 10 s')));
    call.on('error', reject);
  });
}
