// What goes wrong in a cluster, and what must hold: who is served goes on being served, and the one word that says why stands
// where an operator looks: in the events, the log, the metrics.

import { ok } from 'node:assert/strict';
import { get, textAt } from '../../src/inject/edits/objects.ts';
import type { Api } from './api.ts';
import { everyPodServes } from './days.ts';
import { hasCondition } from './objects.ts';
import { type Pod, type Scene, sidecarStatus } from './scene.ts';
import { seconds, step } from './terminal.ts';
import { until } from './wait.ts';
import { signalContainer } from './worker.ts';

/** How the program says `key_mismatch` when it cannot start. */
const SENTENCE = 'does not belong to the certificate';

export async function breakages(api: Api, scene: Scene): Promise<void> {
  await step('drain the node: evict every Pod under load, with a PodDisruptionBudget', () => drained(api, scene));
  await step('delete the Secret under load, ask for a third Pod, restore it', () => secretLost(api, scene));
  await step('kill -9 a sidecar', () => sidecarKilled(scene));
  await step('a key of another pair in the Secret, under load', () => certificateBroken(scene));
}

async function drained(api: Api, scene: Scene): Promise<string> {
  const spec = { maxUnavailable: 1, selector: { matchLabels: { 'app.kubernetes.io/name': 'web' } } };
  const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'web' }, spec };
  await api.apply(budget, scene.namespace);
  const pods = await scene.pods();
  const counted = await scene.underLoad(async () => {
    for (const pod of pods) await scene.evict(pod);
    await scene.rolledOut();
  });
  return `${pods.length} Pods, ${counted}`;
}

async function secretLost(api: Api, scene: Scene): Promise<string> {
  const counted = await scene.underLoad(async () => {
    const before = new Set((await scene.pods()).map(({ name }) => name));
    await api.remove(scene.path('secrets/web-tls'));
    await scene.scale(3);
    const third = await until(async () => (await scene.pods()).find(({ name }) => !before.has(name)), {
      what: 'the third Pod',
    });
    await until(
      async () =>
        (await scene.events(third.name)).some(
          ({ reason, message }) => reason === 'FailedMount' && message.includes('web-tls'),
        ),
      { what: `the event FailedMount of ${third.name}` },
    );
    await scene.putSecret(await scene.issue());
    await scene.rolledOut();
    await scene.scale(2);
    await scene.rolledOut();
  });
  return `${counted}; event FailedMount names the Secret`;
}

/** Until it is back its Pod is refused by new connections, and those that it had are cut: no plain HTTP in between. */
async function sidecarKilled(scene: Scene): Promise<string> {
  const [pod] = await scene.pods();
  if (pod === undefined) throw new Error('there is no Pod');
  const id = textAt(sidecarStatus(pod), ['containerID'])?.split('://')[1] ?? '';
  const started = performance.now();
  const { requests, failed, failures } = await scene.underLoadThatMayFail(async () => {
    await signalContainer(id, 'SIGKILL');
    await until(async () => hasRestarted(await samePod(scene, pod)), {
      what: 'the kubelet to start the sidecar again',
    });
  });
  const backAfter = performance.now() - started;
  const now = sidecarStatus(await samePod(scene, pod));
  ok(get(now, ['lastState', 'terminated', 'exitCode']) === 137, `its end is known: ${JSON.stringify(now.lastState)}`);
  const wrong = failures.filter(
    (failure) => !/ECONNREFUSED|ECONNRESET|EPIPE|socket hang up|disconnected before/.test(failure),
  );
  ok(wrong.length === 0, `something else than a refused or a cut connection: ${wrong.join('\n')}`);
  const after = await scene.answersByTls();
  return `ready again after ${seconds(backAfter)}, exit code 137, ${failed} of ${requests} requests cut or refused until then; after that ${after}`;
}

async function samePod(scene: Scene, { name }: Pod): Promise<Pod> {
  const found = (await scene.pods()).find((pod) => pod.name === name);
  if (found === undefined) throw new Error(`${name} is gone`);
  return found;
}

function hasRestarted(pod: Pod): boolean {
  return Number(get(sidecarStatus(pod), ['restartCount'])) > 0 && hasCondition(pod.object, 'Ready');
}

/** Those that run keep the old one; a new Pod does not start with it, and says why. */
async function certificateBroken(scene: Scene): Promise<string> {
  const word = 'key_mismatch';
  const row = `tls_sidecar_certificate_reloads_total{result="failed",reason="${word}"}`;
  const counted = await scene.underLoad(async () => {
    const [one, other] = [await scene.issue(), await scene.issue()];
    const running = await scene.pods();
    await scene.putSecret({ chain: one.chain, key: other.key });
    for (const pod of running) {
      await until(async () => (await scene.metric(pod, row)) > 0, { what: `${word} in the metrics of ${pod.name}` });
      ok((await scene.log(pod)).includes(`"reason":"${word}"`), `${word} in the log of ${pod.name}`);
    }
    await scene.scale(3);
    const third = await until(
      async () => (await scene.pods()).find(({ name }) => running.every((pod) => pod.name !== name)),
      { what: 'the third Pod' },
    );
    await until(async () => endOf(await samePod(scene, third)).includes(SENTENCE), {
      what: `"${SENTENCE}" in the state of ${third.name}`,
    });
    await until(async () => (await scene.events(third.name)).some(({ reason }) => reason === 'BackOff'), {
      what: `the event BackOff of ${third.name}`,
    });
    const whole = await scene.issue();
    await scene.putSecret(whole);
    await scene.rolledOut();
    await everyPodServes(scene, whole.serial);
    await scene.scale(2);
    await scene.rolledOut();
  });
  return `${counted}; ${word} in log and metric, its sentence in the new Pod's state, event BackOff`;
}

function endOf(pod: Pod): string {
  const status = sidecarStatus(pod);
  return JSON.stringify([status.state, status.lastState]);
}
