// `npm run demo`: a throw-away certificate, the demo app, and the real sidecar before it, until Ctrl-C.
// Nothing is left behind: the certificate lives in a temporary directory that goes with the demo.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createAuthority } from '../../certs/authority.ts';
import { type LogLine, parseLine, portOf } from '../support/log-lines.ts';
import { startDemoApp } from './app.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const wantedPort = 8443;
const patienceMs = 8000;

async function main(): Promise<number> {
  const stopped = new AbortController();
  // npm and tsx pass the terminal's signal on, so that one Ctrl-C may come twice: only the first does anything.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort());

  const dir = await mkdtemp(join(tmpdir(), 'tls-sidecar-demo-'));
  const app = await startDemoApp();
  try {
    await writeCertificate(dir);
    const sidecar = startSidecar(dir, { listen: await freePort(wantedPort), upstream: app.port });
    return await untilStopped(sidecar, { app: app.port, stop: stopped.signal });
  } finally {
    await app.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function writeCertificate(dir: string): Promise<void> {
  const authority = await createAuthority({ commonName: 'tls-sidecar demo CA' });
  const issued = await authority.issue({ dns: ['localhost'], ip: ['127.0.0.1', '::1'] });
  await writeFile(join(dir, 'tls.crt'), issued.chain + authority.pem);
  await writeFile(join(dir, 'tls.key'), issued.key, { mode: 0o600 });
}

// In a process group of its own, so that Ctrl-C reaches the demo alone and the sidecar gets one SIGTERM from it.
function startSidecar(dir: string, ports: { listen: number; upstream: number }): ChildProcess {
  const options = {
    cert: join(dir, 'tls.crt'),
    key: join(dir, 'tls.key'),
    listen: `127.0.0.1:${ports.listen}`,
    upstream: `http://127.0.0.1:${ports.upstream}`,
    admin: '127.0.0.1:0',
    'access-log': 'all',
    'drain-timeout': '3s',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [join(root, 'dist', 'proxy.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  process.on('exit', () => child.kill('SIGKILL'));
  return child;
}

async function untilStopped(sidecar: ChildProcess, demo: { app: number; stop: AbortSignal }): Promise<number> {
  if (sidecar.stdout === null) throw new Error('the sidecar has no stdout');
  const exited = once(sidecar, 'exit');
  createInterface({ input: sidecar.stdout }).on('line', (line) => {
    const shown = friendly(parseLine(line), demo.app);
    if (shown !== undefined) console.log(shown);
  });
  if (!demo.stop.aborted) await Promise.race([exited, once(demo.stop, 'abort')]);
  if (!demo.stop.aborted) {
    console.error(`the sidecar ended by itself (${sidecar.signalCode ?? sidecar.exitCode})`);
    return 1;
  }
  sidecar.kill('SIGTERM');
  const timer = setTimeout(() => sidecar.kill('SIGKILL'), patienceMs);
  await exited;
  clearTimeout(timer);
  console.log('stopped; the certificate is gone');
  return 0;
}

/** What a person is shown of a log line; undefined for what is not worth a line. */
function friendly(line: LogLine | undefined, appPort: number): string | undefined {
  if (line === undefined) return undefined;
  if (line.msg === 'serving') return banner(portOf(line.listen), portOf(line.admin), appPort);
  if (line.msg === 'request') return requestLine(line);
  const mend = line.wanted === undefined ? '' : `; use ${String(line.wanted)}`;
  return ['warn', 'error', 'fatal'].includes(String(line.level)) ? `  ! ${String(line.msg)}${mend}` : undefined;
}

function banner(port: number, admin: number, appPort: number): string {
  return `
  tls-sidecar is serving HTTPS, with a certificate made a moment ago.

    https://localhost:${port}/    TLS ends here
    http://127.0.0.1:${appPort}/    a plain HTTP app, unchanged behind it
    http://127.0.0.1:${admin}/status    what the sidecar says of itself (also /metrics, /readyz)

  Try it:    curl -k https://localhost:${port}/
             curl -k https://localhost:${port}/headers
             curl -kN https://localhost:${port}/events
             curl -k --data-binary @package.json https://localhost:${port}/upload

  Ctrl-C stops everything. Requests are shown below.
`;
}

function requestLine(line: LogLine): string {
  const durationMs = typeof line.durationMs === 'number' ? `${line.durationMs.toFixed(1)} ms` : '';
  const reason = line.reason === undefined ? '' : `(${String(line.reason)})`;
  const parts = [line.status, String(line.method).padEnd(4), line.path, line.protocol, durationMs, reason];
  return `  ${parts.map(String).join('  ').trimEnd()}`;
}

async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  server.listen(wanted, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return 0;
  }
  server.close();
  await once(server, 'close');
  return wanted;
}

process.exitCode = await main();
