// Whether the app accepts: dialled for real, once a second at most, and at once where that is asked for.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createAppHealth } from '../../../src/admin/health.ts';
import type { UpstreamAddress } from '../../../src/net/addresses.ts';
import { eventually } from '../../support/poll.ts';

const TIMEOUT_MS = 2000;

/** An app that counts who dials it, on a free port or a socket of the file system. */
async function openApp(t: TestContext, path?: string): Promise<{ server: Server; port: number; dials: () => number }> {
  let dials = 0;
  const server = createServer((socket) => {
    dials++;
    socket.on('error', () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => {
    server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path }, resolve);
  });
  t.after(() => server.close());
  const address = server.address();
  return { server, port: address !== null && typeof address === 'object' ? address.port : 0, dials: () => dials };
}

const close = (server: Server): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));

describe('the health of the app', () => {
  test('is good when it accepts, and bad when it does not', async (t) => {
    const { server, port } = await openApp(t);
    const at = (): UpstreamAddress => ({ kind: 'tcp', host: '127.0.0.1', port });
    assert.equal(await createAppHealth(at(), TIMEOUT_MS, () => 0).accepts(), true);
    await close(server);
    assert.equal(await createAppHealth(at(), TIMEOUT_MS, () => 0).accepts(), false);
  });

  test('is asked by name, too', async (t) => {
    const { port } = await openApp(t);
    assert.equal(await createAppHealth({ kind: 'tcp', host: 'localhost', port }, TIMEOUT_MS, () => 0).accepts(), true);
  });

  test('is asked through a socket of the file system', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'health-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'app.sock');
    assert.equal(await createAppHealth({ kind: 'unix', path }, TIMEOUT_MS, () => 0).accepts(), false);
    await openApp(t, path);
    assert.equal(await createAppHealth({ kind: 'unix', path }, TIMEOUT_MS, () => 0).accepts(), true);
  });

  test('is kept for a second, good or bad, and then asked anew', async (t) => {
    const { server, port, dials } = await openApp(t);
    let nowMs = 5000;
    const health = createAppHealth({ kind: 'tcp', host: '127.0.0.1', port }, TIMEOUT_MS, () => nowMs);
    assert.equal(await health.accepts(), true);
    await close(server);
    nowMs += 999;
    assert.equal(await health.accepts(), true);
    nowMs += 1;
    assert.equal(await health.accepts(), false);
    server.listen(port, '127.0.0.1');
    nowMs += 999;
    assert.equal(await health.accepts(), false);
    nowMs += 1;
    assert.equal(await health.accepts(), true);
    assert.equal(dials(), 2);
  });

  test('costs one dial for many who ask at the same time', async (t) => {
    const { port, dials } = await openApp(t);
    const health = createAppHealth({ kind: 'tcp', host: '127.0.0.1', port }, TIMEOUT_MS, () => 0);
    const answers = await Promise.all(Array.from({ length: 20 }, () => health.accepts()));
    assert.deepEqual([new Set(answers), dials()], [new Set([true]), 1]);
  });

  test('is dialled at once where that is asked for, and what that found is kept', async (t) => {
    const { server, port } = await openApp(t);
    const health = createAppHealth({ kind: 'tcp', host: '127.0.0.1', port }, TIMEOUT_MS, () => 0);
    assert.equal(await health.accepts(), true);
    await close(server);
    assert.equal(await health.accepts(), true);
    assert.equal(await health.acceptsNow(), false);
    assert.equal(await health.accepts(), false);
  });

  test('is told when it changes, and asked anew by itself while the app is down', async (t) => {
    const { server, port } = await openApp(t);
    const told: string[] = [];
    const observer = { down: () => void told.push('down'), up: () => void told.push('up') };
    const health = createAppHealth({ kind: 'tcp', host: '127.0.0.1', port }, TIMEOUT_MS, () => 0, observer);
    t.after(() => health.close());
    assert.equal(await health.acceptsNow(), true);
    assert.deepEqual(told, []);
    await close(server);
    health.refused();
    health.refused();
    assert.equal(await health.acceptsNow(), false);
    assert.deepEqual(told, ['down']);
    server.listen(port, '127.0.0.1');
    await eventually(() => told.length === 2, { what: 'the return of the app' });
    assert.deepEqual(told, ['down', 'up']);
  });

  test('is told at first only if the app is down', async (t) => {
    const { server, port } = await openApp(t);
    await close(server);
    const told: string[] = [];
    const observer = { down: () => void told.push('down'), up: () => void told.push('up') };
    const health = createAppHealth({ kind: 'tcp', host: '127.0.0.1', port }, TIMEOUT_MS, () => 0, observer);
    t.after(() => health.close());
    assert.equal(await health.accepts(), false);
    assert.deepEqual(told, ['down']);
  });
});
