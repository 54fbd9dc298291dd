// What happens to every deployment: its certificate is replaced, and it is rolled. No request may notice.

import { ok } from 'node:assert/strict';
import type { Scene } from './scene.ts';
import { seconds } from './terminal.ts';
import { until } from './wait.ts';

const TAKEN = 'tls_sidecar_certificate_reloads_total{result="success",reason="changed"}';

export async function replaced(scene: Scene, times: number): Promise<string> {
  const took: number[] = [];
  const counted = await scene.underLoad(async () => {
    for (let at = 1; at <= times; at++) {
      const issued = await scene.issue();
      const started = performance.now();
      scene.total.rotations++;
      await scene.putSecret(issued);
      await everyPodServes(scene, issued.serial);
      took.push(performance.now() - started);
    }
  });
  for (const pod of await scene.pods()) ok((await scene.metric(pod, TAKEN)) >= times, `${pod.name} counts its reloads`);
  return `${counted}; served by all after at most ${seconds(Math.max(...took))}`;
}

export async function everyPodServes(scene: Scene, serial: string): Promise<void> {
  await until(
    async () => {
      for (const { name, ip } of await scene.readyPods()) {
        const served = await scene.serialAt(ip, scene.tlsPort);
        if (BigInt(`0x${served}`) !== BigInt(`0x${serial}`)) throw new Error(`${name} serves ${served}, not ${serial}`);
      }
      return true;
    },
    { what: 'every Pod to serve the new certificate', limitMs: 90_000 },
  );
}

export function rolled(scene: Scene, times: number): Promise<string> {
  return scene.underLoad(async () => {
    for (let at = 1; at <= times; at++) {
      await scene.restart();
      await scene.rolledOut();
    }
  });
}
