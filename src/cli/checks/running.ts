// Asks the admin port whether a sidecar of ours runs there, as it does where `check` is run beside it in its container.

import { get } from 'node:http';
import { PROGRAM } from '../../admin/status.ts';
import { parseAddress } from '../../config/parse.ts';
import type { ListenAddress } from '../../net/ports.ts';

export type Running = { readonly pid: number; readonly version: string; readonly ports: readonly number[] };

const TIMEOUT_MS = 2000;
const MAX_BYTES = 1 << 20;

/** Undefined where nobody answers, or somebody else. */
export async function findRunning({ host, port }: ListenAddress): Promise<Running | undefined> {
  try {
    return runningOf(JSON.parse(await fetchText(reachable(host), port)));
  } catch {
    return undefined;
  }
}

function runningOf(status: unknown): Running | undefined {
  const { program, pid, version, configuration } = status as Partial<Record<string, unknown>>;
  if (program !== PROGRAM || typeof pid !== 'number' || typeof version !== 'string') return undefined;
  const { options } = configuration as { options: { listen: { value: string | string[] } } };
  // A release of one address tells one text.
  const ports = [options.listen.value].flat().map((text) => parseAddress(text).port);
  return { pid, version, ports };
}

/** An address that one can connect to, for one that one can listen on. */
export function reachable(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function fetchText(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path: '/status', agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_BYTES) request.destroy(new Error('too long'));
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
  });
}
