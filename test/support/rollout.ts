// What stands before replicas in a rollout: a balancer of TCP connections, and clients that ask all the time and never ask a
// second time. Each failure says on which replica's connection it happened.

import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectH2, fieldsOf, type H2Client } from './h2-client.ts';

export interface Balancer {
  readonly port: number;
  /** Ports that new connections go to, in turn. */
  readonly targets: Set<number>;
  /** How many connections a target was sent so far. */
  sentTo(target: number): number;
  /** The target of the connection that came from this port. */
  targetOf(clientPort: number | undefined): number | undefined;
  close(): void;
}

export async function startBalancer(): Promise<Balancer> {
  const targets = new Set<number>();
  const sockets = new Set<Socket>();
  const routes = new Map<number, number>();
  const sent = new Map<number, number>();
  let turn = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const target = [...targets][turn++ % targets.size];
    if (target === undefined) return void client.destroy();
    sent.set(target, (sent.get(target) ?? 0) + 1);
    if (client.remotePort !== undefined) routes.set(client.remotePort, target);
    const onward = connect({ host: '127.0.0.1', port: target, allowHalfOpen: true, noDelay: true });
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      // What breaks on one side is seen as a break on the other.
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => {
        sockets.delete(one);
        if (!one.readableEnded) other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    sentTo: (target) => sent.get(target) ?? 0,
    targetOf: (clientPort) => (clientPort === undefined ? undefined : routes.get(clientPort)),
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export type Failure = {
  readonly protocol: 'h1' | 'h2';
  readonly why: string;
  /** From where the client had connected to the balancer. */
  readonly clientPort: number | undefined;
  readonly atMs: number;
};

export interface Crowd {
  readonly answered: { h1: number; h2: number };
  readonly failures: readonly Failure[];
  /** Resolves when the last request is over. */
  stop(): Promise<void>;
}

export type CrowdOptions = {
  /** Default: this machine. Whatever it is, the certificate has to be for `localhost`. */
  readonly host?: string;
  readonly port: number;
  readonly ca: string;
  readonly h1: number;
  readonly h2: number;
  /** Clients of HTTP/1.1 with a connection for each request; counted as h1. Default 0. */
  readonly fresh?: number;
  /** What the body of every answer is. */
  readonly answer?: string;
  /** The longest that a client waits before it asks again. */
  readonly pauseMs: number;
};

const BODY = 'the answer';

/** Clients of both protocols; the app must answer every request with 200 and the one body. */
export function startCrowd(options: CrowdOptions): Crowd {
  const { h1, h2, fresh = 0, pauseMs } = options;
  const failures: Failure[] = [];
  const answered = { h1: 0, h2: 0 };
  let stopped = false;
  const ask = async (protocol: 'h1' | 'h2', once: (state: Asked) => Promise<void>): Promise<void> => {
    while (!stopped) {
      const state: Asked = { clientPort: undefined };
      try {
        await once(state);
        answered[protocol]++;
      } catch (error) {
        const { code = '', message } = error as NodeJS.ErrnoException;
        failures.push({ protocol, why: `${code} ${message}`, clientPort: state.clientPort, atMs: performance.now() });
      }
      await delay(Math.random() * pauseMs);
    }
  };
  const clients = [
    ...Array.from({ length: h1 }, () => http1Client(options)).map(({ once }) => ask('h1', once)),
    ...Array.from({ length: fresh }, () => http1Client(options, false)).map(({ once }) => ask('h1', once)),
    ...Array.from({ length: h2 }, () => http2Client(options)).map(({ once }) => ask('h2', once)),
  ];
  return {
    answered,
    failures,
    async stop() {
      stopped = true;
      await Promise.all(clients);
    },
  };
}

type Asked = { clientPort: number | undefined };
type Client = { once: (state: Asked) => Promise<void> };

/** One kept connection after the other, by Node's agent. */
function http1Client({ host = 'localhost', port, ca, answer }: CrowdOptions, keepAlive = true): Client {
  const agent = new Agent({ keepAlive, maxSockets: 1, ca });
  return {
    once: (state) =>
      new Promise((resolve, reject) => {
        const asked = request({ host, servername: 'localhost', port, agent, path: '/', family: 4 }, (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => {
            body += text;
          });
          response.on('error', reject);
          response.on('close', () => check(response.statusCode, body, response.complete, answer).then(resolve, reject));
        });
        asked.on('socket', (socket) => {
          const note = (): void => {
            state.clientPort = socket.localPort;
          };
          if (socket.connecting) socket.once('connect', note);
          else note();
        });
        asked.on('error', reject);
        asked.end();
      }),
  };
}

/**
 * A connection until it is told to go, or lost; then another one. Of frames, not of node:http2: that counts a request as
 * refused which it has not even sent when a GOAWAY comes.
 */
function http2Client({ host = '127.0.0.1', port, ca, answer }: CrowdOptions): Client {
  let client: H2Client | undefined;
  return {
    async once(state) {
      if (client === undefined || client.goaway !== undefined || client.ended) {
        client?.destroy();
        client = undefined;
        client = await connectH2({ host, port, ca, rejectUnauthorized: true });
      }
      state.clientPort = client.raw.socket.localPort;
      const id = client.request(fieldsOf());
      const { reset, ended } = await client.over(id);
      if (reset !== undefined) throw new Error(`reset with ${reset}`);
      await check(client.status(id), client.body(id).toString(), ended, answer);
    },
  };
}

async function check(status: number | undefined, body: string, complete: boolean, wanted = BODY): Promise<void> {
  if (status !== 200 || body !== wanted || !complete)
    throw new Error(`status ${status}, "${body.slice(0, 100)}"${complete ? '' : ', cut'}`);
}

/** What an app has to answer, in one piece or in two, at once or after a while. */
export const answers = { first: BODY.slice(0, 4), rest: BODY.slice(4), whole: BODY };
