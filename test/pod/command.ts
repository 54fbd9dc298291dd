// Runs a program to its end, and tells of a failure with what it said.

import { spawn } from 'node:child_process';

export type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type RunOptions = { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly timeoutMs?: number };

/** Never rejects because of the program's exit code; does where there is no such program. */
export function outcomeOf(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { timeoutMs = 120_000, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...rest, timeout: timeoutMs, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    // Not `close`: what podman leaves behind may hold on to the pipes.
    child.once('exit', (code) => setImmediate(() => resolve({ code, stdout, stderr })));
  });
}

/** Its stdout; rejects with what it said on stderr. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await outcomeOf(command, args, options);
  if (code === 0) return stdout.trim();
  throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr.trim() || stdout.trim()}`);
}
