// stdout is closed, or its reader hangs: requests are served all the same, memory stays bounded, and the lines that are
// lost are counted.
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { eventually, patienceMs } from '../support/poll.ts';
import { repositoryRoot, rssBytes } from '../support/program.ts';
import { connect, type RawClient } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

type Child = ChildProcessByStdio<null, Readable, Readable>;
type Scene = { child: Child; client: RawClient; dropped(): Promise<number>; stderr(): string };

// More than 8 MiB of lines, which is what is kept for a reader that hangs: some 1.4 KB each, as a path is cut.
const longPath = `/${'x'.repeat(1023)}`;
const requests = 10_000;
/** Requests under way at a time. */
const pipelined = 100;

async function begin(t: TestContext): Promise<Scene> {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const options = {
    cert: stage.volume.path('tls.crt'),
    key: stage.volume.path('tls.key'),
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    upstream: `http://127.0.0.1:${app.port}`,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.env.TEST_NODE ?? process.execPath, [join(repositoryRoot, 'dist', 'proxy.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const ports = await portsOf(child);
  const client = await connect({ port: ports.listen });
  const seen = { adminPort: ports.admin } as Sidecar;
  const dropped = async (): Promise<number> => (await readMetrics(seen)).sum('log_lines_dropped_total');
  return { child, client, dropped, stderr: () => stderr };
}

async function portsOf(child: Child): Promise<{ listen: number; admin: number }> {
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const { msg, listen, admin } = JSON.parse(line);
    if (msg === 'serving') return { listen: listen.port, admin: admin.port };
  }
  throw new Error('the sidecar does not serve');
}

async function askMany({ client }: Scene): Promise<void> {
  const request = `GET ${longPath} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  for (let count = 0; count < requests; count += pipelined) {
    client.send(request.repeat(pipelined));
    for (let i = 0; i < pipelined; i++) assert.equal((await client.readResponse()).status, 200);
  }
}

async function assertEnds({ child, client, stderr }: Scene): Promise<void> {
  client.end();
  await client.closed;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  assert.deepEqual(await exited, [0, null]);
  clearTimeout(late);
  assert.equal(stderr(), '');
}

for (const [what, give] of [
  ['stdout closed', (stdout) => void stdout.destroy()],
  ['stdout not read', (stdout) => void stdout.pause()],
] as const satisfies [string, (stdout: Readable) => void][]) {
  test(what, async (t) => {
    const scene = await begin(t);
    give(scene.child.stdout);
    const before = rssBytes(scene.child.pid ?? 0);
    await askMany(scene);
    await eventually(async () => (await scene.dropped()) > 0, { what: 'lost lines to be counted' });
    const grown = rssBytes(scene.child.pid ?? 0) - before;
    assert.ok(grown < 96 << 20, `${grown >> 20} MiB more`);
    await assertEnds(scene);
  });
}
