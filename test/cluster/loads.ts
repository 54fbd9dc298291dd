// Work that is done while clients ask: on the node by the Service's address, and from beyond it by the node's port.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Counted, LoadOptions } from './load.ts';
import { NODE, OUTSIDE } from './place.ts';

const program = fileURLToPath(new URL('load.ts', import.meta.url));

export type Ways = {
  /** Of the Service. */
  readonly address: string;
  readonly port: number;
  readonly nodePort: number;
  readonly name: string;
  readonly ca: string;
};

export type Total = { requests: number; failed: number; failures: string[] };

export async function underLoad(ways: Ways, work: () => Promise<void>): Promise<Total> {
  const { address, port, nodePort, name, ca } = ways;
  const loads = [
    startLoad({ host: address, port, name, ca }, []),
    startLoad({ host: NODE.address, port: nodePort, name, ca }, ['ip', 'netns', 'exec', OUTSIDE]),
  ];
  let counted: Counted[] = [];
  try {
    await Promise.all(loads.map((load) => load.asking));
    await work();
  } finally {
    counted = await Promise.all(loads.map((load) => load.end()));
  }
  if (counted.some(({ requests }) => requests === 0)) throw new Error('a client asked nothing');
  return {
    requests: counted.reduce((sum, { requests }) => sum + requests, 0),
    failed: counted.reduce((sum, { failed }) => sum + failed, 0),
    failures: counted.flatMap(({ failures }) => failures),
  };
}

function startLoad(options: LoadOptions, through: readonly string[]) {
  const [command = '', ...args] = [...through, process.execPath, '--import', 'tsx', program, JSON.stringify(options)];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  const asking = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += String(chunk);
      resolve();
    });
    child.once('close', () => resolve());
  });
  const closed = new Promise<Counted>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      try {
        resolve(JSON.parse(printed.trim().split('\n').at(-1) ?? '') as Counted);
      } catch {
        reject(new Error(`a client ended with ${code ?? signal} and printed ${JSON.stringify(printed)}`));
      }
    });
  });
  closed.catch(() => {});
  return {
    asking,
    end() {
      child.kill('SIGTERM');
      return closed;
    },
  };
}
