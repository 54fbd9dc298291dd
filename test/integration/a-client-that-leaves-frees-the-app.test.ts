// A client that leaves, half-way through an upload or a download, takes its connection to the app with it: at once, a
// thousand times, without a socket or memory left behind.

import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { mostGrowthOfAborts } from '../support/growth.ts';
import { eventually } from '../support/poll.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

const ABORTS = 500;
const WORKERS = 8;
const PIECE = Buffer.alloc(32 * 1024, 'x');

/** Reads heads; a GET is answered with more than anybody reads, a POST not at all. */
async function openApp() {
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    open.add(socket);
    let seen = '';
    const fill = (): void => {
      while (!socket.destroyed && socket.write(PIECE));
    };
    socket.on('drain', fill);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      seen = (seen + bytes.toString('latin1')).slice(-8192);
      if (!seen.startsWith('GET ') || !seen.includes('\r\n\r\n')) return;
      seen = '';
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n');
      fill();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, open, accepted: () => accepted, close: () => server.close() };
}

type App = Awaited<ReturnType<typeof openApp>>;

async function leaveUpload(lane: Lane, app: App, turn: number): Promise<void> {
  const client = await lane.connect();
  const had = app.accepted();
  client.send('POST /up HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1048576\r\n\r\n');
  client.send(PIECE);
  await eventually(() => app.accepted() > had || app.open.size > 0, { what: 'the upload at the app', everyMs: 1 });
  if (turn % 2 === 0) client.destroy();
  else client.reset();
}

async function leaveDownload(lane: Lane, _app: App, turn: number): Promise<void> {
  const client = await lane.connect();
  client.send('GET /down HTTP/1.1\r\nHost: app.test\r\n\r\n');
  await client.waitFor((received) => received.length > 16_384);
  if (turn % 2 === 0) client.destroy();
  else client.reset();
}

async function repeat(times: number, act: (turn: number) => Promise<void>): Promise<void> {
  let turn = 0;
  const work = async (): Promise<void> => {
    while (turn < times) await act(turn++);
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
}

function sockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

for (const forwarder of forwarders) {
  for (const [what, leave] of Object.entries({ uploads: leaveUpload, downloads: leaveDownload })) {
    test(`${forwarder}: ${ABORTS} half ${what} leave nothing behind`, async () => {
      const app = await openApp();
      const lane = await openLane({ forwarder, upstream: app.port, args: ['--access-log', 'off'] });
      try {
        const before = sockets(lane.sidecar.pid);
        await repeat(100, (turn) => leave(lane, app, turn));
        await eventually(() => app.open.size === 0, { what: 'the end of the first connections to the app' });
        const base = lane.sidecar.rssBytes();
        await repeat(ABORTS, (turn) => leave(lane, app, turn));
        await eventually(() => app.open.size === 0, { what: 'the end of all connections to the app' });
        await eventually(() => sockets(lane.sidecar.pid) <= before, { what: 'the sockets of before' });
        const growth = lane.sidecar.rssBytes() - base;
        assert.ok(growth < mostGrowthOfAborts(lane.sidecar), `grew by ${Math.round(growth / 1024 / 1024)} MiB`);
        assert.deepEqual(lane.defects, []);
      } finally {
        await lane.close();
        app.close();
        for (const socket of app.open) socket.destroy();
      }
    });
  }
}
