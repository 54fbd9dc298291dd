// What the admin port answers, in readable form.

import { request } from 'node:http';
import type { Sidecar } from './sidecar.ts';

export type AdminAnswer = { status: number; headers: Record<string, unknown>; body: string };

export function askAdmin(sidecar: Sidecar, path: string, method = 'GET'): Promise<AdminAnswer> {
  return askAdminAt(sidecar.adminPort, path, method);
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

export async function readMetrics(sidecar: Sidecar): Promise<MetricsSeen> {
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
