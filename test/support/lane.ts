// A lane: the real program before an app, with one of the two forwarders. Makes a certificate of its own, and takes
// everything down at the end of the test that opened it (or of the file, when opened outside a test).

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../../certs/authority.ts';
import { connect, type RawClient } from './raw-client.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';

export const FORWARDERS = ['wire', 'http-proxy'] as const;
export type Forwarder = (typeof FORWARDERS)[number];

export interface Lane {
  readonly forwarder: Forwarder;
  readonly sidecar: Sidecar;
  /** What verifies the sidecar's certificate, for localhost; PEM. */
  readonly ca: string;
  connect(): Promise<RawClient>;
  /** Log lines that tell of a defect of ours, whatever the test was about. */
  readonly defects: readonly string[];
  /** Stops the sidecar; idempotent. */
  close(): Promise<void>;
}

export type LaneOptions = {
  readonly forwarder: Forwarder;
  /** Of the app: a port of 127.0.0.1, or a URL. */
  readonly upstream: number | string;
  readonly args?: readonly string[];
  /** Default off. */
  readonly admin?: string;
};

type Files = { readonly cert: string; readonly key: string; readonly ca: string };
let files: Promise<Files> | undefined;

export async function openLane({ forwarder, upstream, args = [], admin = 'off' }: LaneOptions): Promise<Lane> {
  files ??= makeCertificate();
  const { cert, key, ca } = await files;
  const url = typeof upstream === 'number' ? `http://127.0.0.1:${upstream}` : upstream;
  const own = ['--cert', cert, '--key', key, '--listen', '127.0.0.1:0', '--admin', admin, '--upstream', url];
  const sidecar = await startSidecar({ args: [...own, '--forwarder', forwarder, ...args] });
  let stopped: Promise<unknown> | undefined;
  return {
    forwarder,
    sidecar,
    ca,
    connect: () => connect({ port: sidecar.port }),
    get defects() {
      const lines = sidecar.logs.filter(isDefect).map((line) => JSON.stringify(line));
      return [...lines, ...sidecar.otherLines, ...(sidecar.stderr === '' ? [] : [sidecar.stderr])];
    },
    async close() {
      stopped ??= sidecar.stop('SIGTERM', 2000);
      await stopped;
    },
  };
}

function isDefect(line: Readonly<Record<string, unknown>>): boolean {
  const level = typeof line.level === 'number' ? line.level : 0;
  return (
    level >= 50 || line.msg === 'internal error' || line.reason === 'internal_error' || /uncaught/i.test(`${line.msg}`)
  );
}

async function makeCertificate(): Promise<Files> {
  const dir = mkdtempSync(join(tmpdir(), 'tls-sidecar-lane-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const authority = await createAuthority();
  const issued = await authority.issue({ dns: ['localhost'] });
  const made = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), ca: authority.pem };
  writeFileSync(made.cert, issued.chain);
  writeFileSync(made.key, issued.key, { mode: 0o600 });
  return made;
}
