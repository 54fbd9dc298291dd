// Where nearly every test of the running program plays: a certificate authority, a certificate on disk as the kubelet
// mounts it, and sidecars before an app. Its end takes everything down, and fails unless each sidecar ended well.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Authority, createAuthority, type Issued } from '../../certs/authority.ts';
import { defectsOf, type ExpectedEnd, endsWell } from './ended-well.ts';
import { connect, type RawClient } from './raw-client.ts';
import { createSecretVolume, type SecretVolume } from './secret-volume.ts';
import { type Sidecar, type SidecarOptions, startSidecar } from './sidecar.ts';

/** What shared behaviour is run over. */
export const forwarders = ['wire', 'http-proxy'] as const;
export type Forwarder = (typeof forwarders)[number];

export interface Stage {
  /** A directory that goes with the stage. */
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
  /** Ends all that it started; rejects when one of them did not end well. Idempotent. */
  close(): Promise<void>;
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
  forwarder?: Forwarder;
  /** Of its end, where the stage's close shall not ask for code 0 and silence on stderr. */
  expect?: ExpectedEnd;
};

/** A stage that is closed at the end of the test. */
export async function setStage(t: TestContext): Promise<Stage> {
  const stage = await openStage();
  // The first of the test's hooks, so that the sidecar ends before its app; it throws in a hook of its own, the last one,
  // because node runs none of those that follow on a hook that threw, and an app left open keeps the test's process.
  t.after(() =>
    stage.close().catch((error: unknown) => {
      t.after(() => {
        throw error;
      });
    }),
  );
  return stage;
}

const unclosed = new Set<Stage>();
process.on('exit', () => {
  if (unclosed.size === 0) return;
  console.error('a stage was never closed: how its sidecars ended was not looked at');
  process.exitCode = 1;
});

/** For a `before` hook; whoever opens it closes it. */
export async function openStage(): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'tls-sidecar-test-'));
  const authority = await createAuthority();
  const issue = (): Promise<Issued> => authority.issue({ dns: ['localhost'], ip: ['127.0.0.1', '::1'] });
  const files = (issued: Issued): Record<string, string> => ({ 'tls.crt': issued.chain, 'tls.key': issued.key });
  const volume = await createSecretVolume(join(dir, 'certs'));
  const pair = await issue();
  await volume.write(files(pair));
  const started: { sidecar: Sidecar; expect: ExpectedEnd | undefined }[] = [];
  let closing: Promise<void> | undefined;
  const stage: Stage = {
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
    async start({ expect, ...options }) {
      const sidecar = await startSidecar(before(volume, options));
      started.push({ sidecar, expect });
      return sidecar;
    },
    close() {
      closing ??= takeDown(started, dir).finally(() => unclosed.delete(stage));
      return closing;
    },
  };
  unclosed.add(stage);
  return stage;
}

function before(volume: SecretVolume, options: StartOptions): SidecarOptions {
  const { upstream, cert, key, listen, admin, forwarder, args = [], env, ...rest } = options;
  return {
    ...rest,
    // For what a test leaves in flight: it shall be cut soon, by a drain that ends well.
    env: args.includes('--drain-timeout') ? { ...env } : { TLS_SIDECAR_DRAIN_TIMEOUT: '3s', ...env },
    args: [
      ...['--cert', cert ?? volume.path('tls.crt')],
      ...(typeof key === 'object' ? [] : ['--key', key ?? volume.path('tls.key')]),
      ...['--listen', listen ?? '127.0.0.1:0', '--admin', admin ?? '127.0.0.1:0'],
      ...['--upstream', typeof upstream === 'number' ? `http://127.0.0.1:${upstream}` : upstream],
      ...(forwarder === undefined ? [] : ['--forwarder', forwarder]),
      ...args,
    ],
  };
}

async function takeDown(started: readonly { sidecar: Sidecar; expect: ExpectedEnd | undefined }[], dir: string) {
  const ends = await Promise.allSettled(started.map(({ sidecar, expect }) => endsWell(sidecar, expect)));
  await rm(dir, { recursive: true, force: true });
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  if (failures.length > 1) throw new AggregateError(failures, `${failures.length} sidecars did not end well`);
  if (failures.length === 1) throw failures[0];
}

/** A stage with one sidecar. */
export interface Lane {
  readonly forwarder: Forwarder;
  readonly sidecar: Sidecar;
  /** What verifies the sidecar's certificate; PEM. */
  readonly ca: string;
  connect(): Promise<RawClient>;
  /** What it has said so far that tells of a defect of ours, whatever the test was about. */
  readonly defects: readonly string[];
  /** Closes the stage. */
  close(): Promise<void>;
}

export type LaneOptions = StartOptions & { forwarder: Forwarder };

/** Without an admin port, unless `admin` says otherwise; whoever opens it closes it. */
export async function openLane(options: LaneOptions): Promise<Lane> {
  const stage = await openStage();
  const sidecar = await stage.start({ admin: 'off', ...options }).catch(async (error: unknown) => {
    await stage.close();
    throw error;
  });
  return {
    forwarder: options.forwarder,
    sidecar,
    ca: stage.authority.pem,
    connect: () => connect({ port: sidecar.port }),
    get defects() {
      return defectsOf(sidecar);
    },
    close: () => stage.close(),
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
