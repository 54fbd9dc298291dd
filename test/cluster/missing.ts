// What a machine has to have to run the cluster, and what of it is not there: programs, with the Debian package that has
// them, and what only the kernel and the rights of this process can give.

import { readFile } from 'node:fs/promises';
import { programOnPath } from './files.ts';
import { CNI_PLUGINS } from './worker.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  go: 'Go, from go.dev/dl',
  unshare: 'util-linux',
  mount: 'mount',
  ip: 'iproute2',
};

const NODE_PROGRAMS: Readonly<Record<string, string>> = {
  nft: 'nftables',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  buildah: 'buildah',
  mmdebstrap: 'mmdebstrap',
  npm: 'npm',
};

const CONTROLLERS = ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices'];

/** What not even the API server can run without. */
export async function missingForAnything(): Promise<string[]> {
  const rights = process.platform === 'linux' && process.getuid?.() === 0 ? [] : ['root on Linux'];
  return [...rights, ...(await missingOf(PROGRAMS))];
}

/** What the part that runs Pods cannot run without. */
export async function missingForPods(): Promise<string[]> {
  const plugins = await missingOf({ [`${CNI_PLUGINS}/bridge`]: 'containernetworking-plugins' });
  return [...(await missingOf(NODE_PROGRAMS)), ...plugins, ...(await missingControllers())];
}

async function missingOf(programs: Readonly<Record<string, string>>): Promise<string[]> {
  const missing: string[] = [];
  for (const [name, source] of Object.entries(programs))
    if ((await programOnPath(name)) === undefined) missing.push(`${name} (${source})`);
  return missing;
}

/** Cgroup v2 has them in one hierarchy; of v1 the kubelet wants each mounted. */
async function missingControllers(): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  if (mounts.some(([, at, type]) => at === '/sys/fs/cgroup' && type === 'cgroup2')) return [];
  const mounted = new Set(
    mounts.filter(([, , type]) => type === 'cgroup').flatMap(([, , , given]) => given?.split(',') ?? []),
  );
  return CONTROLLERS.filter((name) => !mounted.has(name)).map(
    (name) => `the cgroup controller ${name}, which is not mounted`,
  );
}
