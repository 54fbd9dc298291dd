// What a container of the Pod may do, as the kernel and podman tell it, not as it was asked for.

import { readFileSync } from 'node:fs';

export type Confinement = {
  readonly user: number;
  /** The bounding set and the effective one together; 0n is none. */
  readonly capabilities: bigint;
  readonly noNewPrivileges: boolean;
  readonly seccompFilter: boolean;
  readonly readOnlyRoot: boolean;
  readonly memoryLimit: number;
};

export function confinementOf(pid: number): Confinement {
  const status = statusOf(pid);
  const root = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[4] === '/');
  return {
    user: Number(status('Uid').split(/\s+/)[0]),
    capabilities: BigInt(`0x${status('CapBnd')}`) | BigInt(`0x${status('CapEff')}`),
    noNewPrivileges: status('NoNewPrivs') === '1',
    seccompFilter: status('Seccomp') === '2',
    readOnlyRoot: (root?.split(' ')[5] ?? '').split(',').includes('ro'),
    memoryLimit: memoryLimitOf(pid),
  };
}

/** Resident memory now and at most, in bytes. */
export function residentOf(pid: number): { now: number; peak: number } {
  const status = statusOf(pid);
  const bytes = (name: string): number => Number.parseInt(status(name), 10) * 1024;
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}

/** How often the kernel had to end something of the container's for want of memory. */
export function outOfMemoryKills(pid: number): number {
  const [, version2] = memoryGroups(pid);
  const text = readFirst(version2 ? ['memory.events'] : ['memory.oom_control'], pid);
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}

function statusOf(pid: number): (name: string) => string {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
}

function memoryLimitOf(pid: number): number {
  return Number(readFirst(['memory.max', 'memory.limit_in_bytes'], pid));
}

/** Its group in the tree of the memory controller, and whether that is the one tree of version 2. */
function memoryGroups(pid: number): [path: string, version2: boolean] {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const old = lines.find((line) => line.split(':')[1]?.split(',').includes('memory'));
  if (old !== undefined) return [`/sys/fs/cgroup/memory${old.split(':')[2]}`, false];
  return [`/sys/fs/cgroup${lines.find((line) => line.startsWith('0::'))?.slice(3) ?? ''}`, true];
}

function readFirst(names: readonly string[], pid: number): string {
  const [path] = memoryGroups(pid);
  for (const name of names) {
    try {
      return readFileSync(`${path}/${name}`, 'utf8').trim();
    } catch {
      // That of the other version.
    }
  }
  throw new Error(`${path} has neither of ${names.join(', ')}`);
}
