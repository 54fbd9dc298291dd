// The peers of HTTP/2 that test/peers holds, in other languages: where they are, and how they are built and started.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from './program.ts';

const folder = join(repositoryRoot, 'test', 'peers');

export const PYTHON_PEER = join(folder, 'python-h2-peer.py');

/** Built into `dir`; the first time on a machine takes as long as Go's standard library does. */
export async function goPeer(dir: string): Promise<string> {
  const program = join(dir, 'go-peer');
  await promisify(execFile)('go', ['build', '-o', program, join(folder, 'go-peer.go')], { cwd: dir });
  return program;
}

/** An app that says its port on its first line. */
export async function startPeer(t: TestContext, program: string, args: readonly string[]): Promise<number> {
  const { stdout } = spawnPeer(t, program, args);
  for await (const line of createInterface(stdout)) return Number(line);
  throw new Error(`${program} ended without a word`);
}

/** A program that goes with the test. */
export function spawnPeer(
  t: TestContext,
  program: string,
  args: readonly string[],
): ChildProcess & { stdout: Readable } {
  const child = spawn(program, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => child.once('close', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    child.stdout.resume();
    await gone;
  });
  return child;
}
