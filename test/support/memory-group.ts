// A control group with a limit of memory, as a container has it: what runs in it and takes more is killed.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where groups of memory are made: of version 1, which has a tree for each controller, or 2. */
const ROOTS = [
  { path: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { path: '/sys/fs/cgroup', limit: 'memory.max' },
];

export interface MemoryGroup {
  /** A program that joins the group, and then becomes node with the arguments it was given; written into `dir`. */
  node(dir: string): Promise<string>;
  /** Whatever ran in it has to have ended. */
  remove(): void;
}

/** Undefined where no group can be made. */
export function makeMemoryGroup(bytes: number): MemoryGroup | undefined {
  for (const { path, limit } of ROOTS) {
    const group = join(path, `tls-sidecar-test-${process.pid}-${Math.trunc(performance.now() * 1000)}`);
    if (!existsSync(join(path, 'cgroup.procs'))) continue;
    try {
      mkdirSync(group);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(group, limit), String(bytes));
      if (Number(readFileSync(join(group, limit), 'utf8')) === bytes) return groupAt(group);
    } catch {
      // Its controller is not enabled there.
    }
    rmdirSync(group);
  }
  return undefined;
}

/** Whether a process can join one. */
export function canLimitMemory(): boolean {
  const group = makeMemoryGroup(64 << 20);
  if (group === undefined) return false;
  group.remove();
  return true;
}

function groupAt(group: string): MemoryGroup {
  return {
    async node(dir) {
      const path = join(dir, 'node-in-group');
      const node = process.env.TEST_NODE ?? process.execPath;
      await writeFile(path, `#!/bin/sh\necho $$ > ${group}/cgroup.procs && exec ${node} "$@"\n`);
      await chmod(path, 0o755);
      return path;
    },
    remove() {
      // A process that has just ended may still be counted.
      for (let tries = 0; tries < 100; tries++) {
        try {
          return rmdirSync(group);
        } catch {
          spawnSync('sleep', ['0.05']);
        }
      }
    },
  };
}
