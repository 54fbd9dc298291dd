// The programs that go on running: what they print goes to a file each, and one that ends by itself is a failure that the
// next question about it tells.

import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Folders } from './place.ts';

export type Daemon = { readonly name: string; readonly child: ChildProcess; readonly log: string };

export async function startDaemon(
  folders: Folders,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Daemon> {
  const name = program.split('/').at(-1) ?? program;
  const log = join(folders.logs, `${name}.log`);
  const file = await open(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', file.fd, file.fd], env: { ...process.env, ...env } });
  await file.close();
  child.on('error', () => {});
  return { name, child, log };
}

export async function mustRun(daemon: Daemon): Promise<void> {
  const { exitCode, signalCode, pid } = daemon.child;
  if (pid !== undefined && exitCode === null && signalCode === null) return;
  throw new Ended(`${daemon.name} ended with ${signalCode ?? exitCode}:\n${await lastLines(daemon.log, 25)}`);
}

/** No use to ask again. */
export class Ended extends Error {}

export async function lastLines(file: string, count: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
