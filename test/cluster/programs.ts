// Kubernetes' own programs and etcd, built from their Go modules as go.mod and go.sum pin them. They stay in the cache folder
// from one run to the next, under the name of what they were built from.

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import { isThere } from './files.ts';

const module = fileURLToPath(new URL('.', import.meta.url));
const buildLimitMs = 28 * 60_000;

const PROGRAMS = [
  'go.etcd.io/etcd/server/v3',
  'k8s.io/kubernetes/cmd/kube-apiserver',
  'k8s.io/kubernetes/cmd/kube-controller-manager',
  'k8s.io/kubernetes/cmd/kube-proxy',
  'k8s.io/kubernetes/cmd/kube-scheduler',
  'k8s.io/kubernetes/cmd/kubectl',
  'k8s.io/kubernetes/cmd/kubelet',
  './pause',
];

export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tls-sidecar-cluster');

export type Programs = { readonly folder: string; readonly kubernetes: string; readonly built: boolean };

/** Builds what is not in the cache yet. */
export async function makePrograms(): Promise<Programs> {
  const [mod, sum, pause] = await Promise.all(
    ['go.mod', 'go.sum', 'pause/main.go'].map((name) => readFile(join(module, name))),
  );
  const kubernetes = /\sk8s\.io\/kubernetes (v[\d.]+)/.exec(String(mod))?.[1];
  if (mod === undefined || sum === undefined || pause === undefined || kubernetes === undefined)
    throw new Error('test/cluster/go.mod names no version of k8s.io/kubernetes');
  const hash = createHash('sha256').update(mod).update(sum).update(pause).digest('hex').slice(0, 12);
  const folder = join(cacheFolder, `${kubernetes}-${hash}`);
  if (await isThere(folder)) return { folder, kubernetes, built: false };
  await build(folder, kubernetes);
  return { folder, kubernetes, built: true };
}

async function build(folder: string, kubernetes: string): Promise<void> {
  const partial = `${folder}.${process.pid}`;
  await mkdir(partial, { recursive: true });
  const [major, minor] = kubernetes.slice(1).split('.');
  const version = 'k8s.io/component-base/version';
  const names = [`gitVersion=${kubernetes}`, `gitMajor=${major}`, `gitMinor=${minor}`];
  const flags = ['-s', '-w', ...names.map((name) => `-X ${version}.${name}`)].join(' ');
  try {
    // Static programs: the same on every machine, and no C compiler is asked for.
    await run('go', ['build', '-ldflags', flags, '-o', `${partial}/`, ...PROGRAMS], {
      cwd: module,
      env: { CGO_ENABLED: '0', GOFLAGS: `${process.env.GOFLAGS ?? ''} -buildvcs=false -mod=readonly`.trim() },
      limitMs: buildLimitMs,
    });
    await rename(join(partial, 'server'), join(partial, 'etcd'));
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
