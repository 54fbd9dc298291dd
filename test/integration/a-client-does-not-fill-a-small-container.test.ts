// In a container of 256 MiB one client has as much held for it as it can, in every way at once: the sidecar is not killed, and
// others are served.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { Setting } from '../support/h2-frames.ts';
import { type Hoarder, openHoarder } from '../support/hoarder.ts';
import { makeMemoryGroup } from '../support/memory-group.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const MIB = 1 << 20;
const LIMIT = 256 * MIB;
const STREAMS = 128;
const ANSWER = Buffer.alloc(MIB, 'x');

test('a container of 256 MiB stays up, and others are served', async (t) => {
  if (!needs(t, 'memory-cgroup')) return;
  const stage = await setStage(t);
  const group = makeMemoryGroup(LIMIT);
  assert.ok(group !== undefined);
  // After the stage, whose sidecar is in it.
  t.after(() => group.remove());
  const app = await startApp(t, (request, response) => {
    // An upload is answered when it is over, and none ever is.
    if (request.url === '/large') response.end(ANSWER);
    else request.resume().on('end', () => response.end('ok'));
  });
  const sidecar = await stage.start({ upstream: app.port, node: await group.node(stage.dir) });
  const clients: H2Client[] = [];
  t.after(() => {
    for (const client of clients) client.destroy();
  });
  for (let i = 0; i < 10; i++) {
    const unread = await connectH2({
      port: sidecar.port,
      refill: false,
      settings: [[Setting.initialWindowSize, 1000]],
    });
    clients.push(unread);
    for (let n = 0; n < STREAMS; n++) unread.request(fieldsOf({ ':path': '/large' }));
  }
  const hoarders: Hoarder[] = [];
  for (let i = 0; i < 40; i++) {
    const hoarder = await openHoarder({ port: sidecar.port, streams: STREAMS, bytes: MIB, piece: 16_384 });
    hoarders.push(hoarder);
    clients.push(hoarder.client);
  }
  let peak = 0;
  const statuses: number[] = [];
  await eventually(
    async () => {
      for (const hoarder of hoarders) hoarder.pour();
      peak = Math.max(peak, sidecar.rssBytes());
      const other = await connect({ port: sidecar.port, localAddress: '127.0.0.2' });
      other.send('GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
      statuses.push((await other.readResponse()).status);
      other.destroy();
      return statuses.length >= 100;
    },
    { what: 'the end of the attack', everyMs: 10, deadlineMs: 5 * 60_000 },
  );
  const held = (await readMetrics(sidecar)).sum('buffered_bytes');
  t.diagnostic(`at most ${Math.round(peak / MIB)} MiB, ${Math.round(held / MIB)} MiB of them held at the end`);
  assert.ok(!sidecar.endedByItself);
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.ok(peak < LIMIT);
});
