// What nearly every test of the running program needs: a certificate authority, a certificate on disk as the kubelet
// mounts it, a sidecar before an app, and its admin answers in readable form. Everything ends with the test.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Authority, createAuthority, type Issued } from '../../certs/authority.ts';
import { connect } from './raw-client.ts';
import { createSecretVolume, type SecretVolume } from './secret-volume.ts';
import { type Sidecar, type SidecarOptions, startSidecar } from './sidecar.ts';

/** What shared behaviour is run over. */
export const forwarders = ['wire', 'http-proxy'] as const;

export interface Stage {
  /** A directory that goes with the test. */
  readonly dir: string;
  readonly authority: Authority;
  /** In `dir`, holding `pair` as tls.crt and tls.key. */
  readonly volume: SecretVolume;
  readonly pair: Issued;
  /** For localhost, 127.0.0.1 and ::1; not written anywhere. */
  issue(): Promise<Issued>;
  /** `issued` as the content of a kubernetes.io/tls Secret. */
  files(issued: Issued): Record<string, string>;
  /** Writes another pair, for one name; the arguments that name it beside the volume's. */
  beside(name: string): Promise<string[]>;
  /** On 127.0.0.1, free ports, the volume's pair; options in `args` come after and stand for themselves. */
  start(options: StartOptions): Promise<Sidecar>;
}

export type StartOptions = SidecarOptions & {
  /** The app's port on 127.0.0.1, or the whole address. */
  upstream: number | string;
  /** Instead of the volume's. */
  cert?: string;
  /** None: the certificate's file holds it. */
  key?: string | readonly [];
  /** Default 127.0.0.1:0. */
  listen?: string;
  /** Default 127.0.0.1:0. */
  admin?: string;
};

export async function setStage(t: TestContext): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'tls-sidecar-test-'));
  // One hook, and the first: a later one that fails must not leave a sidecar behind, which would keep the test's process.
  const started: Sidecar[] = [];
  t.after(async () => {
    await Promise.all(started.map((sidecar) => sidecar.stop('SIGKILL')));
    await rm(dir, { recursive: true, force: true });
  });
  const authority = await createAuthority();
  const issue = (): Promise<Issued> => authority.issue({ dns: ['localhost'], ip: ['127.0.0.1', '::1'] });
  const files = (issued: Issued): Record<string, string> => ({ 'tls.crt': issued.chain, 'tls.key': issued.key });
  const volume = await createSecretVolume(join(dir, 'certs'));
  const pair = await issue();
  await volume.write(files(pair));
  return {
    dir,
    authority,
    volume,
    pair,
    issue,
    files,
    async beside(name) {
      const { chain, key } = await authority.issue({ dns: [name] });
      const paths = [join(dir, `${name}.crt`), join(dir, `${name}.key`)] as const;
      await writeFile(paths[0], chain);
      await writeFile(paths[1], key);
      return ['--cert', paths[0], '--key', paths[1]];
    },
    async start({ upstream, cert, key, listen, admin, args, ...options }) {
      const sidecar = await startSidecar({
        ...options,
        args: [
          ...['--cert', cert ?? volume.path('tls.crt')],
          ...(typeof key === 'object' ? [] : ['--key', key ?? volume.path('tls.key')]),
          ...['--listen', listen ?? '127.0.0.1:0', '--admin', admin ?? '127.0.0.1:0'],
          ...['--upstream', typeof upstream === 'number' ? `http://127.0.0.1:${upstream}` : upstream],
          ...(args ?? []),
        ],
      });
      started.push(sidecar);
      return sidecar;
    },
  };
}

/** Stops the sidecar as Kubernetes does, and asserts that it ends well and has said nothing on stderr. */
export async function endsWell(sidecar: Sidecar): Promise<void> {
  assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  assert.equal(sidecar.stderr, '');
  assert.deepEqual(sidecar.otherLines, []);
}

/** An app on 127.0.0.1 that goes with the test. */
export async function startApp(
  t: TestContext,
  listener: RequestListener,
  port = 0,
): Promise<Server & { port: number }> {
  const server = createServer(listener);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

/** A port of 127.0.0.1 that nothing listens on (now). */
export async function unusedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

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

/** The serial number that a new handshake is shown, as certs/authority.ts writes it. */
export async function serialServed(sidecar: Sidecar): Promise<string> {
  const client = await connect({ port: sidecar.port });
  const { serialNumber } = client.socket.getPeerCertificate();
  client.end();
  await client.closed;
  return serialNumber;
}
