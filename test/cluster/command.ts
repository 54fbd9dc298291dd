// Programs that are run to their end: what they print is returned, and told if they fail.

import { spawn } from 'node:child_process';

export type CommandOptions = {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  input?: string;
  /** Default 60 s. */
  limitMs?: number;
};

export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { cwd, env, input, limitMs = 60_000 } = options;
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  const latestMs = performance.now() + limitMs;
  const [out, told]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => told.push(chunk));
  // A program that ends without reading its input says why itself.
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const printed = Buffer.concat(out).toString();
      if (code === 0) return resolve(printed);
      const said = (Buffer.concat(told).toString() || printed).trim().split('\n').slice(-30).join('\n');
      const how =
        performance.now() < latestMs ? `ended with ${code ?? signal}` : `was not done within ${limitMs / 1000} s`;
      reject(new Error(`${[program, ...args].join(' ').slice(0, 300)} ${how}:\n${said}`));
    });
  });
}
