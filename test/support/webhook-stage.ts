// A webhook as the API server meets it: over TLS that is verified, by HTTP/1.1 or HTTP/2, at the path and with the query that
// it uses.

import { Agent, request } from 'node:https';
import type { TestContext } from 'node:test';
import { endsWell } from './ended-well.ts';
import { type ReviewResponse, responseIn } from './reviews.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';
import { type Stage, setStage } from './stage.ts';

export const REVIEW_PATH = '/inject?timeout=2s';

export type Answer = { readonly status: number; readonly reason: string; readonly body: string };

export interface WebhookStage {
  readonly stage: Stage;
  readonly webhook: Sidecar;
  /** Over an agent's connections (default: one of its own). */
  post(body: string | Buffer, agent?: Agent): Promise<Answer>;
  /** The review's answer, which must be a 200. */
  review(body: string, agent?: Agent): Promise<ReviewResponse>;
  /** Verifies the certificate; keeps its connections. Destroyed at the end. */
  agent(most?: number): Agent;
}

/** `--secret web-tls`, unless `args` say otherwise. */
export async function setWebhook(
  t: TestContext,
  args: readonly string[] = ['--secret', 'web-tls'],
  env: Record<string, string> = {},
): Promise<WebhookStage> {
  const stage = await setStage(t);
  const webhook = await startSidecar({
    args: [
      ...['webhook', '--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')],
      ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args],
    ],
    env: { TLS_SIDECAR_DRAIN_TIMEOUT: '3s', ...env },
  });
  t.after(() => endsWell(webhook));
  const agent = (most?: number): Agent => {
    const made = new Agent({
      ca: stage.authority.pem,
      servername: 'localhost',
      keepAlive: true,
      ...(most !== undefined && { maxSockets: most }),
    });
    t.after(() => made.destroy());
    return made;
  };
  const once = new Agent({ ca: stage.authority.pem, servername: 'localhost' });
  const post = (body: string | Buffer, by: Agent = once): Promise<Answer> => ask(webhook.port, body, by);
  return {
    stage,
    webhook,
    post,
    async review(body, by) {
      const { status, body: text } = await post(body, by);
      if (status !== 200) throw new Error(`${status}: ${text}`);
      return responseIn(text);
    },
    agent,
  };
}

/** The word of the sidecar's own answers. */
export function reasonOf(proxyStatus: unknown): string {
  return /details="([^"]*)"/.exec(`${proxyStatus}`)?.[1] ?? '';
}

function ask(port: number, body: string | Buffer, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const asked = request(
      { host: '127.0.0.1', port, path: REVIEW_PATH, method: 'POST', headers, agent },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const reason = reasonOf(response.headers['proxy-status']);
          resolve({ status: response.statusCode ?? 0, reason, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}
