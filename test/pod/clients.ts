// Who asks the Pod from outside: one question over TLS or in plain HTTP, a slow download, and crowds over both families.

import { Agent, get as getHttps } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { type Crowd, type Failure, startCrowd } from '../support/rollout.ts';

/** The body of `/` over HTTP/1.1, the certificate verified for `localhost`. */
export function askTls(host: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host, port: 80, servername: 'localhost', ca, agent: new Agent(), timeout: 5000 };
    const asked = getHttps(options, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('close', () => (answer.complete ? resolve(body) : reject(new Error('cut'))));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in 5 s')));
    asked.on('error', reject);
  });
}

export async function askHttp2(host: string, ca: string): Promise<string> {
  const client = await connectH2({ host, port: 80, ca, rejectUnauthorized: true });
  const id = client.request(fieldsOf());
  await client.over(id);
  const body = client.body(id).toString();
  client.destroy();
  return body;
}

/** The serial of the certificate that a new connection is shown. */
export function servedSerial(host: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: 80, servername: 'localhost', ca }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.setTimeout(5000, () => socket.destroy(new Error('no handshake in 5 s')));
    socket.on('error', reject);
  });
}

/** Every byte that a plain HTTP request is answered with; the error's code where there is no connection. */
export function askPlain(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(80, host, () =>
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
    );
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
    });
    socket.setTimeout(5000, () => socket.destroy());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      received ||= error.code ?? error.message;
    });
    socket.on('close', () => resolve(received));
  });
}

/** Reads `/large` at an even pace that takes about this long; gives how many bytes came, and whether that was all. */
export function downloadSlowly(
  host: string,
  ca: string,
  seconds: number,
): Promise<{ bytes: number; complete: boolean }> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: true });
    const options = { host, port: 80, servername: 'localhost', ca, agent, path: '/large' };
    const asked = getHttps(options, async (answer) => {
      const total = Number(answer.headers['content-length']);
      const began = performance.now();
      let bytes = 0;
      try {
        for await (const chunk of answer) {
          bytes += (chunk as Buffer).length;
          const dueMs = (bytes / total) * seconds * 1000;
          await delay(Math.max(0, began + dueMs - performance.now()));
        }
      } catch {
        // It was cut: fewer bytes than were said.
      }
      resolve({ bytes, complete: bytes === total && answer.complete });
    });
    asked.on('error', reject);
  });
}

export interface Crowds {
  answered(): number;
  failures(): readonly Failure[];
  stop(): Promise<void>;
}

/** Over each address: clients that keep connections of HTTP/1.1 and of HTTP/2, and such that open one for each request. */
export function startCrowds(hosts: readonly string[], ca: string, answer: string): Crowds {
  const crowds: Crowd[] = hosts.map((host) =>
    startCrowd({ host, port: 80, ca, answer, h1: 4, fresh: 2, h2: 2, pauseMs: 30 }),
  );
  return {
    answered: () => crowds.reduce((sum, { answered: { h1, h2 } }) => sum + h1 + h2, 0),
    failures: () => crowds.flatMap(({ failures }) => failures),
    async stop() {
      await Promise.all(crowds.map((crowd) => crowd.stop()));
    },
  };
}
