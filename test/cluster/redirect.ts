// Redirect mode: the app's own port speaks TLS, by the Pod's address too, and nothing of it is answered in plain HTTP.

import { ok } from 'node:assert/strict';
import { replaced, rolled } from './days.ts';
import { plainGet, type Scene } from './scene.ts';
import { step } from './terminal.ts';
import type { Tools } from './tools.ts';

export async function inRedirectMode(scene: Scene, tools: Tools): Promise<void> {
  scene.tlsPort = 80;
  await step('redirect mode: inject --mode redirect | kubectl apply', async () => {
    const injected = await tools.inject(tools.manifest(), ['--mode', 'redirect']);
    await tools.apply(scene.namespace, injected);
    await scene.settled();
  });
  await step('redirect mode: TLS by the Service, the NodePort and the address of each Pod', async () => {
    const counted = await scene.answersByTls();
    for (const { ip } of await scene.pods()) {
      await scene.serialAt(ip, 80);
      const plain = await plainGet(ip, 80, '/').catch(() => undefined);
      ok(plain?.status !== 200, 'the app answers in plain HTTP');
    }
    return counted;
  });
  await step('redirect mode: replace the Secret under load', () => replaced(scene, 1));
  await step('redirect mode: roll the Deployment twice under load', () => rolled(scene, 2));
}
