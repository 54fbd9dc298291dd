// The command `drain`: asks the sidecar that runs beside it, over the admin port, to drain, and returns when it has. For a
// preStop hook, which Kubernetes waits for before it ends the container.

import { request } from 'node:http';
import type { Loaded } from '../config/config.ts';
import { Malformed, parseLimit } from '../config/parse.ts';
import { ConfigError } from '../errors.ts';
import { reachable } from './checks/running.ts';

const SUCCESS = 0;
const FAILURE = 1;

/** `timeout`: the longest that it waits, as it was written; undefined: as long as the sidecar takes. */
export async function drain({ config: { admin } }: Loaded, timeout: string | undefined): Promise<number> {
  const timeoutMs = timeout === undefined ? 0 : readTimeout(timeout);
  if (admin === 'off') throw new ConfigError(['drain asks over the admin port, and --admin is off']);
  const failure = await ask(reachable(admin.host), admin.port, timeoutMs);
  if (failure === undefined) return SUCCESS;
  process.stderr.write(`tls-sidecar: ${failure}\n`);
  return FAILURE;
}

function readTimeout(text: string): number {
  try {
    return parseLimit(text);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new ConfigError([`--timeout takes ${error.message}; the flag says "${text}"`], { cause: error });
  }
}

/** What went wrong; undefined when it has drained. */
function ask(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host, port, path: '/drain', method: 'POST', agent: false }, (response) => {
      response.resume();
      response.on('error', () => {});
      response.on('close', () => {
        const { statusCode: status = 0 } = response;
        resolve(status === 200 ? undefined : `the sidecar at ${host}:${port} answered /drain with ${status}`);
      });
    });
    const timer =
      timeoutMs > 0
        ? setTimeout(() => asked.destroy(new Error(`it has not drained within ${timeoutMs} ms`)), timeoutMs)
        : undefined;
    asked.on('error', (error) => resolve(`cannot drain the sidecar at ${host}:${port}: ${error.message}`));
    asked.on('close', () => clearTimeout(timer));
    asked.end();
  });
}
