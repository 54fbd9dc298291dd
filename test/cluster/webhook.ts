// Injection by the cluster itself: the chart is installed with its defaults, a namespace is labelled, and what is created in
// it speaks TLS. Then what the webhook's absence means, by failurePolicy.

import { equal, match, ok } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { get, type JsonObject, listAt } from '../../src/inject/edits/objects.ts';
import { type Api, Refused } from './api.ts';
import { rolled } from './days.ts';
import { programOnPath } from './files.ts';
import type { Scene } from './scene.ts';
import { say, step } from './terminal.ts';
import type { Tools } from './tools.ts';
import { until } from './wait.ts';

const chart = fileURLToPath(new URL('../../k8s/webhook', import.meta.url));
const NAMESPACE = 'tls-sidecar';
const DEPLOYMENT = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/tls-sidecar-webhook`;
const REPLICAS = 200;
const CONTAINERS = [{ name: 'nginx', image: 'nginx:1.28', ports: [{ containerPort: 80 }] }];

/** False where the tree has no such chart, or the machine no helm; the latter is said. */
export async function canInstallWebhook(): Promise<boolean> {
  if (!existsSync(chart)) return false;
  if ((await programOnPath('helm')) !== undefined) return true;
  say('left out: the webhook, because there is no helm');
  return false;
}

export async function byWebhook(api: Api, scene: Scene, tools: Tools): Promise<void> {
  const release = ['tls-sidecar', '--namespace', NAMESPACE];
  const install = async (...values: string[]) => {
    const given = [...values, 'inject.secret=web-tls', 'inject.flags.app-prestop-sleep=20s'];
    const flags = ['--create-namespace', ...given.flatMap((value) => ['--set', value])];
    await tools.helm(['install', ...release, chart, ...flags]);
    await available(api);
  };
  await step('the webhook: helm install', () => install());
  await step('the webhook: a labelled namespace, and the nginx as it is', async () => {
    const labels = { 'tls-sidecar.dev/inject': 'true' };
    await api.patch(`/api/v1/namespaces/${scene.namespace}`, { metadata: { labels } });
    // Its Pods are ready a moment before the nodes lead its Service's address there.
    const reached = async (): Promise<boolean> => isInjected(await create(api, scene.namespace));
    await until(reached, { what: 'the webhook to be reached' });
    await tools.apply(scene.namespace, tools.manifest());
    await scene.settled();
  });
  await step('the webhook: TLS by the Service and by the NodePort', () => scene.answersByTls());
  await step('the webhook: roll the Deployment twice under load', () => rolled(scene, 2));
  await step(`the webhook: a Deployment of ${REPLICAS} replicas`, () => manyReplicas(api, scene));
  await step('the webhook is down: failurePolicy Fail', async () => {
    await scaleToNone(api);
    ok(!isInjected(await create(api, 'default')), 'a Pod elsewhere starts as it is');
    const refused: unknown = await create(api, scene.namespace).catch((error: unknown) => error);
    ok(refused instanceof Refused, 'no Pod starts in the labelled namespace');
    match(refused.message, /failed calling webhook/);
  });
  await step('the webhook is down: failurePolicy Ignore', async () => {
    await tools.helm(['uninstall', ...release, '--wait']);
    await install('failurePolicy=Ignore');
    await scaleToNone(api);
    ok(!isInjected(await create(api, scene.namespace)), 'a Pod starts without the sidecar');
  });
}

async function available(api: Api): Promise<void> {
  await until(
    async () => {
      const object = await api.get(DEPLOYMENT);
      return Number(get(object, ['status', 'availableReplicas']) ?? 0) === Number(get(object, ['spec', 'replicas']));
    },
    { what: 'the webhook to be available' },
  );
}

async function scaleToNone(api: Api): Promise<void> {
  await api.patch(DEPLOYMENT, { spec: { replicas: 0 } });
  await until(async () => (await api.items(`/api/v1/namespaces/${NAMESPACE}/pods`)).length === 0, {
    what: 'the end of the webhook',
  });
}

/**
 * A Deployment, whose controller doubles the number that it asks for at a time and comes back to those that were refused. No
 * node takes them: what is asked of the webhook is all the same.
 */
async function manyReplicas(api: Api, scene: Scene): Promise<string> {
  const labels = { 'app.kubernetes.io/name': 'many' };
  const nodeSelector = { 'kubernetes.io/hostname': 'none' };
  const template = { metadata: { labels }, spec: { nodeSelector, containers: CONTAINERS } };
  const spec = { replicas: REPLICAS, selector: { matchLabels: labels }, template };
  await api.apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'many' }, spec }, scene.namespace);
  const pods = await until(
    async () => {
      const all = await api.items(scene.path('pods?labelSelector=app.kubernetes.io/name%3Dmany'));
      if (all.length < REPLICAS) throw new Error(`there are ${all.length}`);
      return all;
    },
    { what: `${REPLICAS} Pods`, limitMs: 240_000, everyMs: 1_000 },
  );
  equal(pods.filter(isInjected).length, REPLICAS);
  const refused = (await api.items(scene.path('events'))).filter((event) => event.reason === 'FailedCreate');
  await api.remove(scene.path('deployments/many', '/apis/apps/v1'));
  return `each with the sidecar; ${refused.length} events FailedCreate on the way`;
}

/** As a dry run: the API server asks its webhooks all the same. */
function create(api: Api, namespace: string): Promise<JsonObject> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'one-of-many-' },
    spec: { containers: CONTAINERS },
  };
  return api.create(`/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
}

function isInjected(pod: JsonObject): boolean {
  return listAt(pod, ['spec', 'initContainers']).some((one) => get(one, ['name']) === 'tls-sidecar');
}
