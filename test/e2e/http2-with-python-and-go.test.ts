// Engines of HTTP/2 that share no line with Node's and none with ours, as clients of the real program: Python's h2 and Go's
// net/http (test/peers). Bodies, trailers both ways, a hundred streams, a request that is given up, small windows.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { startEchoApp } from '../support/echo-app.ts';
import { goPeer, PYTHON_PEER } from '../support/h2-peers.ts';
import type { LogLine } from '../support/log-lines.ts';
import { needs } from '../support/needs.ts';
import { PYTHON } from '../support/peers.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const run = promisify(execFile);
const PAGE = randomBytes(100_000);
const ECHO = Buffer.from('0123456789abcdef'.repeat(1 << 16));

const sum = (bytes: Buffer): string => `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;

const isGivenUp = ({ path, reason }: LogLine): boolean => path === '/hold' && reason === 'client_gone';

/** A sidecar before an app that answers each path as the clients expect; and the file of its CA. */
async function served(t: TestContext): Promise<{ sidecar: Sidecar; ca: string; dir: string }> {
  const stage = await setStage(t);
  const sidecar = await stage.start({ upstream: await startEchoApp(t, PAGE) });
  const ca = join(stage.dir, 'ca.pem');
  await writeFile(ca, stage.authority.pem);
  return { sidecar, ca, dir: stage.dir };
}

test("Python's h2 as a client", { timeout: 60_000 }, async (t) => {
  if (!needs(t, 'python3-h2')) return;
  const { sidecar, ca } = await served(t);
  const { stdout } = await run(PYTHON, [PYTHON_PEER, 'client', `${sidecar.port}`, ca]);
  assert.deepEqual(JSON.parse(stdout), {
    page: sum(PAGE),
    echo: sum(ECHO),
    trailers: { 'x-trailer': '42', 'x-asked': 'by python' },
    served: 100,
    afterEnd: 200,
    smallWindows: sum(PAGE),
  });
  await sidecar.waitForLog(isGivenUp);
});

test("Go's net/http as a client", { timeout: 180_000 }, async (t) => {
  if (!needs(t, 'go-1.24')) return;
  const { sidecar, ca, dir } = await served(t);
  const { stdout } = await run(await goPeer(dir), ['client', `https://localhost:${sidecar.port}`, ca]);
  assert.deepEqual(JSON.parse(stdout), {
    Proto: 'HTTP/2.0',
    Page: sum(PAGE),
    Echo: sum(ECHO),
    Trailers: { 'x-trailer': '42', 'x-asked': 'by go' },
    Served: 100,
    AfterEnd: 200,
  });
  await sidecar.waitForLog(isGivenUp);
});
