// Runs on the node, as the child of node.sh: starts the cluster part by part, and holds the tests on each as soon as it is
// up. The last line that it prints is the run's verdict.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeAccess } from './access.ts';
import { admission } from './admission.ts';
import { Api } from './api.ts';
import { startApiServer, startControllers } from './control-plane.ts';
import { lastLines } from './daemon.ts';
import { foldersIn } from './place.ts';
import { type Plan, planFrom } from './plan.ts';
import { story } from './story.ts';
import { say, step } from './terminal.ts';
import { startContainerd, startKubelet, startKubeProxy } from './worker.ts';

async function main(plan: Plan): Promise<number> {
  const folders = foldersIn(plan.data, plan.programs);
  try {
    const access = await makeAccess(folders);
    const api = new Api(access);
    await step(`start etcd and the API server, ${plan.kubernetes}`, () => startApiServer(folders, access, api));
    await admission(api, join(folders.programs, 'kubectl'));
    if (plan.images.length === 0) return 0;
    await step('start the controllers and the scheduler', () => startControllers(folders, access, api));
    await step(`start containerd, with ${plan.images.length} images`, () => startContainerd(folders, plan.images));
    await step('start the kubelet', () => startKubelet(folders, access, api, plan.cgroup));
    await step('start kube-proxy', () => startKubeProxy(folders, access));
    await story(api, access.kubeconfig('admin'), plan);
    return 0;
  } catch (error) {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    for (const file of await readdir(folders.logs).catch(() => []))
      say(`--- ${file}\n${await lastLines(join(folders.logs, file), 15)}`);
    return 1;
  }
}

process.exit(await main(planFrom(process.argv[2])));
