// The ws package at both ends: whatever it sends arrives, either side may end or break the connection, and the other is told.
// Half-closed directions stay usable. Upgrades take our own tunnel with either forwarder.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { createRecorder } from '../support/recorder.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

const HANDSHAKE =
  'GET /raw HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';

for (const forwarder of forwarders) {
  describe(forwarder, () => {
    let http: Server;
    let lane: Lane;
    let app: WebSocketServer;
    const raw = new Set<Socket>();
    before(async () => {
      http = createServer((_request, response) => response.end('plain'));
      http.on('connection', (socket) => {
        raw.add(socket);
        socket.on('close', () => raw.delete(socket));
      });
      app = new WebSocketServer({
        server: http,
        perMessageDeflate: true,
        handleProtocols: (offered) => [...offered][0] ?? false,
      });
      app.on('connection', (socket) => {
        socket.on('error', () => {});
        socket.on('message', (data, isBinary) => {
          if (data.toString() === 'break') socket.terminate();
          else socket.send(data, { binary: isBinary });
        });
      });
      await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
      lane = await openLane({ forwarder, upstream: (http.address() as AddressInfo).port });
    });
    after(async () => {
      for (const client of app.clients) client.terminate();
      app.close();
      http.close();
      http.closeAllConnections();
      await lane.close();
    });

    async function open(): Promise<WebSocket> {
      const socket = new WebSocket(`wss://localhost:${lane.sidecar.port}/chat`, ['v2', 'v1'], {
        rejectUnauthorized: false,
        lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
      });
      socket.on('error', () => {});
      await once(socket, 'open');
      return socket;
    }

    test('messages of every size come back, and a subprotocol and compression are agreed', async () => {
      const socket = await open();
      assert.equal(socket.protocol, 'v2');
      assert.match(socket.extensions, /permessage-deflate/);
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 4 * 1024 * 1024]) {
        const message = Buffer.alloc(size, 'wx');
        socket.send(message);
        const [echo] = (await once(socket, 'message')) as [Buffer];
        assert.ok(message.equals(echo), `${size} bytes`);
      }
      socket.ping('here');
      assert.equal(String((await once(socket, 'pong'))[0]), 'here');
      socket.close(4001, 'bye');
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      assert.deepEqual([code, reason.toString()], [4001, 'bye']);
    });

    test('a client that resets is noticed by the app', async () => {
      await eventually(() => app.clients.size === 0, { what: 'no clients' });
      const socket = await open();
      const [peer] = app.clients;
      assert.ok(peer);
      const closed = once(peer, 'close');
      (socket as unknown as { _socket: Socket })._socket.destroy();
      const [code] = (await closed) as [number];
      assert.equal(code, 1006);
    });

    test('an app that breaks the connection is noticed by the client', async () => {
      const socket = await open();
      socket.send('break');
      const [code] = (await once(socket, 'close')) as [number];
      assert.equal(code, 1006);
      await eventually(() => app.clients.size === 0, { what: 'no clients' });
    });
  });

  test(`${forwarder}: each side may end its direction and still receive`, async () => {
    for (const first of ['client', 'app'] as const) {
      const app = await createRecorder(
        async (connection) => {
          await connection.waitFor('\r\n\r\n');
          connection.write(SWITCHED);
          if (first === 'app') {
            connection.end('last words of the app');
            await connection.waitFor(/last words of the client$/);
          } else {
            await eventually(() => connection.ended, { what: 'the end of the client' });
            connection.end('last words of the app');
          }
        },
        { keepHalfOpen: true },
      );
      const lane = await openLane({ forwarder, upstream: app.port });
      const client = await connect({ port: lane.sidecar.port, allowHalfOpen: true });
      client.send(HANDSHAKE);
      assert.equal((await client.readResponse()).status, 101);
      if (first === 'app') {
        await client.waitFor(/last words of the app$/);
        await eventually(() => client.ended, { what: 'the end of the app' });
      }
      client.end('last words of the client');
      await client.waitFor(/last words of the app$/).catch((error: unknown) => {
        assert.match(client.received.toString('latin1'), /last words of the app$/, `${first} first: ${error}`);
      });
      await app.connections[0]?.waitFor(/last words of the client$/);
      await app.connections[0]?.waitForClose();
      await lane.close();
      await app.close();
    }
  });
}
