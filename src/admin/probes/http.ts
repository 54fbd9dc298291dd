// The http and https questions, as the kubelet asks them (kubernetes: pkg/probe/http): one GET, a new connection, no
// verification of certificates, 10 KiB of the body at most. A redirect to the same host is followed, over to https, too; one to another
// host is not, and counts as success like every status from 200 to 399.

import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Probe } from '../../config/probe.ts';
import { ignoreError } from '../../net/guard.ts';
import { dialApp } from './dial.ts';
import { Ended, unreachable, type Verdict } from './verdict.ts';

/** What the app is asked as: a redirect to this host is one to itself. */
const HOST = 'localhost';
/** As with Go's client, which the kubelet uses. */
const MAX_REQUESTS = 10;
const MAX_BODY_BYTES = 10_240;
const REDIRECTS = [301, 302, 303, 307, 308];

type Answer = { readonly status: number; readonly location: string | undefined };

export async function askHttp({ kind, port, path, headers }: Probe, signal: AbortSignal): Promise<Verdict> {
  let url = new URL(`${kind}://${HOST}:${port}/`);
  let target = path || '/';
  let host = url.host;
  for (let asked = 0; asked < MAX_REQUESTS; asked++) {
    const { status, location } = await ask(url, target, fieldsOf(headers, host), signal);
    if (!REDIRECTS.includes(status) || location === undefined) return verdictOf(status);
    const next = resolved(location, new URL(target, url));
    if (next.hostname !== HOST) return { status: 200, text: `ok: ${status}, a redirect to another host` };
    // A declared Host belongs to the first place, and to what is relative to it.
    if (isAbsolute(location)) host = next.host;
    url = next;
    target = `${next.pathname}${next.search}`;
  }
  throw new Ended(unreachable(`the app redirected ${MAX_REQUESTS} times`));
}

function verdictOf(status: number): Verdict {
  if (status < 200 || status > 599) return unreachable(`the app answered ${status}`);
  if (status >= 400) return { status, text: `the app answered ${status}` };
  return { status: status < 300 ? status : 200, text: `ok: ${status}` };
}

function isAbsolute(location: string): boolean {
  return URL.canParse(location) || location.startsWith('//');
}

function resolved(location: string, base: URL): URL {
  const url = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new Ended(unreachable('the app redirected to what is no http address'));
  return url;
}

/** Declared fields stand for themselves; an empty Accept is none (kubernetes: pkg/probe/http/request.go). */
function fieldsOf(declared: readonly string[], host: string): string[] {
  const fields = new Map([
    ['host', ['Host', host]],
    ['user-agent', ['User-Agent', 'kube-probe/tls-sidecar']],
    ['accept', ['Accept', '*/*']],
  ]);
  const given: string[] = [];
  for (let i = 0; i < declared.length; i += 2) {
    const [name = '', value = ''] = declared.slice(i, i + 2);
    fields.delete(name.toLowerCase());
    if (value !== '' || name.toLowerCase() !== 'accept') given.push(name, value);
  }
  return [...[...fields.values()].flat(), ...given];
}

async function ask(url: URL, target: string, headers: string[], signal: AbortSignal): Promise<Answer> {
  const secure = url.protocol === 'https:';
  const plain = await dialApp(Number(url.port) || (secure ? 443 : 80), signal);
  const socket = secure ? await handshake(plain) : plain;
  try {
    return await get(socket, target, headers);
  } finally {
    socket.destroy();
    plain.destroy();
  }
}

/** Without a name, as the kubelet, which asks by address. */
function handshake(plain: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ socket: plain, rejectUnauthorized: false });
    socket.on('error', ignoreError).once('error', reject);
    socket.once('close', () => reject(new Error('closed in the TLS handshake')));
    socket.once('secureConnect', () => resolve(socket));
  });
}

function get(socket: Socket, path: string, headers: string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ createConnection: () => socket, method: 'GET', path, headers, setHost: false });
    asked.on('error', reject);
    asked.on('close', () => reject(new Error('closed before its answer was whole')));
    asked.on('upgrade', () => reject(new Error('changed the protocol')));
    asked.on('response', (response) => takeBody(response, resolve, reject));
    asked.end();
  });
}

/** A body that never ends is no answer; of a large one, the first bytes will do. */
function takeBody(response: IncomingMessage, resolve: (answer: Answer) => void, reject: (error: Error) => void): void {
  const { statusCode: status = 0, headers } = response;
  const done = (): void => resolve({ status, location: headers.location });
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= MAX_BODY_BYTES) done();
  });
  response.on('error', reject);
  response.on('end', done);
}
