// What the admin port answers, in readable form.

import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sidecar } from './sidecar.ts';

export type AdminAnswer = { status: number; headers: Record<string, unknown>; body: string };

/** How long the sidecar keeps what it has rendered (src/admin/admin.ts), and a little more. */
const METRICS_KEPT_MS = 260;
/** When each sidecar's metrics were last asked for. */
const askedMetricsAt = new WeakMap<Sidecar, number>();

export async function askAdmin(sidecar: Sidecar, path: string, method = 'GET'): Promise<AdminAnswer> {
  const answer = await askAdminAt(sidecar.adminPort, path, method);
  if (path === '/metrics') askedMetricsAt.set(sidecar, performance.now());
  return answer;
}

export function askAdminAt(port: number, path: string, method = 'GET'): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

export interface MetricsSeen {
  readonly text: string;
  /** The sum of all samples that have (at least) these labels; 0 when there is none. The prefix tls_sidecar_ is added. */
  sum(name: string, labels?: Record<string, string>): number;
}

/** As they are now: waits until what was rendered before is no longer kept. */
export async function readMetrics(sidecar: Sidecar): Promise<MetricsSeen> {
  const keptMs = (askedMetricsAt.get(sidecar) ?? Number.NEGATIVE_INFINITY) + METRICS_KEPT_MS - performance.now();
  if (keptMs > 0) await delay(keptMs);
  const { body: text } = await askAdmin(sidecar, '/metrics');
  return {
    text,
    sum(name, labels = {}) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      return text
        .split('\n')
        .map((line) => /^tls_sidecar_(\w+)(?:\{(.*)\})? (\S+)$/.exec(line))
        .filter((found) => found?.[1] === name && wanted.every((label) => found[2]?.split(',').includes(label)))
        .reduce((sum, found) => sum + Number(found?.[3]), 0);
    },
  };
}
