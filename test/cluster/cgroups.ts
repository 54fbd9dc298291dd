// The cgroup that the run's Pods are put into: one below the root of every hierarchy that is mounted, made before and taken
// away afterwards, so that nothing of the machine's own is touched.

import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere } from './files.ts';

export async function makeCgroup(name: string): Promise<void> {
  for (const root of await hierarchies()) {
    const folder = join(root, name);
    await mkdir(folder, { recursive: true });
    // A cpuset of v1 takes no process before it has processors and memory.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (await isThere(join(folder, file))) await writeFile(join(folder, file), await readFile(join(root, file)));
  }
}

export async function removeCgroup(name: string): Promise<void> {
  for (const root of await hierarchies()) await removeTree(join(root, name));
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder).catch(() => {});
}

async function hierarchies(): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return mounts.flatMap(([, at, type]) => (at !== undefined && (type === 'cgroup' || type === 'cgroup2') ? [at] : []));
}
