// A client as a process of its own, so that it can stand in another network namespace: it asks one URL all the time, over
// connections that it keeps and over a new one for each request, and never asks a second time. Told to end by SIGTERM, it
// prints what it counted.

import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

export type LoadOptions = {
  readonly host: string;
  readonly port: number;
  /** The name in SNI, Host and the certificate. */
  readonly name: string;
  readonly ca: string;
};

/** `failures` are the first ones of `failed`. */
export type Counted = { readonly requests: number; readonly failed: number; readonly failures: readonly string[] };

const KEPT = 2;
const ANEW = 2;
/** Handshakes take the time of the Pods' own processors, of which this machine has as few as it has. */
const pauseMs = { kept: 20, anew: 100 };
/** Long, because a busy machine is no failure; what hangs is one all the same. */
const limitMs = 30_000;
const failures: string[] = [];
let requests = 0;
let failed = 0;
let ending = false;

async function ask(options: LoadOptions, agent: Agent): Promise<void> {
  const started = new Date();
  requests++;
  try {
    const { status, body } = await answerOf(options, agent);
    if (status !== 200 || !body.includes('nginx')) throw new Error(`answered with ${status}: ${body.slice(0, 100)}`);
  } catch (error) {
    failed++;
    const { message, code } = error as NodeJS.ErrnoException;
    const how = agent.options.keepAlive ? 'kept' : 'new';
    const ms = Date.now() - started.getTime();
    if (failures.length < 50)
      failures.push(`${started.toISOString()} ${how} connection, after ${ms} ms: ${code ?? ''} ${message}`);
  }
}

function answerOf({ host, port, name, ca }: LoadOptions, agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(limitMs);
    const call = request({ host, port, servername: name, ca, agent, signal, headers: { host: name } });
    call.on('error', reject);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    call.end();
  });
}

async function askOn(options: LoadOptions, keepAlive: boolean): Promise<void> {
  const agent = new Agent({ keepAlive, maxSockets: 1, maxCachedSessions: keepAlive ? 1 : 0 });
  while (!ending) {
    await ask(options, agent);
    await delay(keepAlive ? pauseMs.kept : pauseMs.anew);
  }
  agent.destroy();
}

async function main(options: LoadOptions): Promise<void> {
  process.on('SIGTERM', () => {
    ending = true;
  });
  console.log('asking');
  await Promise.all([...Array(KEPT + ANEW).keys()].map((at) => askOn(options, at < KEPT)));
  console.log(JSON.stringify({ requests, failed, failures } satisfies Counted));
}

await main(JSON.parse(process.argv[2] ?? '{}') as LoadOptions);
