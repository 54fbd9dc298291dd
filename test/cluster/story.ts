// What a user does with the cluster's Pods, in the order of a day: TLS by `inject`, certificates that are replaced, rollouts, a
// drained node, a lost Secret, a killed sidecar, a broken certificate; then the other ways in. Each chapter has a namespace.

import { join } from 'node:path';
import type { Api } from './api.ts';
import { breakages } from './breakages.ts';
import { byComponent } from './component.ts';
import { replaced, rolled } from './days.ts';
import type { Plan } from './plan.ts';
import { inRedirectMode } from './redirect.ts';
import { Scene } from './scene.ts';
import { say, step } from './terminal.ts';
import { Tools } from './tools.ts';
import { byWebhook, canInstallWebhook } from './webhook.ts';

const ROTATIONS = 5;
const ROLLOUTS = 10;

export async function story(api: Api, kubeconfig: string, plan: Plan): Promise<void> {
  const tools = new Tools(plan, kubeconfig);
  const scene = await Scene.in(api, 'target-port', 'baseline');
  await step('an nginx of two replicas and its Service, in plain HTTP', async () => {
    await tools.apply(scene.namespace, tools.manifest());
    await scene.rolledOut();
  });
  await step('tls-sidecar inject --secret web-tls | kubectl apply', async () => {
    await tools.apply(scene.namespace, await tools.inject(tools.manifest()));
    await scene.settled();
  });
  await step('TLS by the Service and by the NodePort', () => scene.answersByTls());
  await step(`replace the Secret ${ROTATIONS} times under load`, () => replaced(scene, ROTATIONS));
  await step(`roll the Deployment ${ROLLOUTS} times under load`, () => rolled(scene, ROLLOUTS));
  await breakages(api, scene);

  const redirected = await Scene.in(api, 'redirect', 'privileged');
  await inRedirectMode(redirected, tools);
  const component = await Scene.in(api, 'component', 'baseline');
  await byComponent(component, tools, join(plan.data, 'component'));

  const scenes = [scene, redirected, component];
  if (await canInstallWebhook()) {
    const labelled = await Scene.in(api, 'labelled', 'baseline');
    scenes.push(labelled);
    await byWebhook(api, labelled, tools);
  }
  const sum = (of: keyof Scene['total']) => scenes.reduce((total, scene) => total + scene.total[of], 0);
  const [requests, failed] = [sum('requests'), sum('failed')];
  say(
    `in all: ${sum('rollouts')} rollouts, ${sum('rotations')} rotations, ${requests} requests under load, ${failed} failed`,
  );
}
