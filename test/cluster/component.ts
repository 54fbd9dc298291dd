// The Component of k8s/, by kubectl's own kustomize.

import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Scene } from './scene.ts';
import { step } from './terminal.ts';
import type { Tools } from './tools.ts';

const component = fileURLToPath(new URL('../../k8s/component', import.meta.url));

export async function byComponent(scene: Scene, tools: Tools, folder: string): Promise<void> {
  await step('the Component: kubectl kustomize | kubectl apply', async () => {
    await mkdir(folder, { recursive: true });
    await cp(component, join(folder, 'component'), { recursive: true });
    await writeFile(join(folder, 'web.yaml'), tools.manifest());
    await writeFile(join(folder, 'kustomization.yaml'), 'resources: [web.yaml]\ncomponents: [component]\n');
    await tools.apply(scene.namespace, await tools.kubectl(['kustomize', folder]));
    await scene.settled();
  });
  await step('the Component: TLS by the Service and by the NodePort', () => scene.answersByTls());
}
