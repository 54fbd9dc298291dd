// All connections to the app are busy: exchanges wait for one, in order, and get a 503 after the connect time-out. One whose
// client has left while it waited never reaches the app; and tunnels count.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/poll.ts';
import { answerEach, createRecorder, type Recorder, type RecorderConnection } from '../support/recorder.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
const get = (path: string, ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\n${['Host: app.test', ...fields].join('\r\n')}\r\n\r\n`;

for (const forwarder of forwarders) {
  describe(forwarder, () => {
    let app: Recorder;
    let lane: Lane;
    let impatient: Lane;
    let held: RecorderConnection | undefined;
    before(async () => {
      app = await createRecorder(
        answerEach((request, _index, connection) => {
          if (request.startsWith('GET /switch')) return SWITCH;
          if (!request.startsWith('GET /hold')) return OK;
          held = connection;
          return undefined;
        }),
      );
      const open = (timeout: string) =>
        openLane({
          forwarder,
          upstream: app.port,
          args: ['--upstream-max-connections', '1', '--upstream-connect-timeout', timeout],
        });
      lane = await open('10m');
      impatient = await open('1s');
    });
    after(async () => {
      await lane.close();
      await impatient.close();
      await app.close();
    });

    async function hold(through: Lane) {
      held = undefined;
      const client = await through.connect();
      client.send(get('/hold'));
      const connection = await eventually(() => held, { what: 'the held request' });
      return { client, release: () => connection.write(OK) };
    }

    test('waits, then gives up', async () => {
      const holding = await hold(impatient);
      const client = await impatient.connect();
      const started = performance.now();
      client.send(get('/waits-in-vain'));
      const answer = await client.readResponse();
      assert.equal(answer.status, 503);
      assert.match(answer.headText, /error=connection_limit_reached; details="upstream_busy"/);
      assert.ok(performance.now() - started >= 995);
      holding.release();
      assert.equal((await holding.client.readResponse()).status, 200);
      assert.doesNotMatch(app.requests.join(''), /waits-in-vain/);
    });

    test('waits, and is served', async () => {
      const holding = await hold(lane);
      const client = await lane.connect();
      client.send(get('/waits'));
      holding.release();
      assert.equal((await client.readResponse()).status, 200);
    });

    test('one that left while it waited never reaches the app', async () => {
      const holding = await hold(lane);
      const gone = await lane.connect();
      gone.send(`POST /gone HTTP/1.1\r\nHost: app.test\r\n\r\n`);
      const later = await lane.connect();
      const seen = lane.sidecar.logs.length;
      gone.destroy();
      await eventually(() => lane.sidecar.logs.slice(seen).some((line) => line.path === '/gone'), {
        what: 'the log line of the client that left',
      });
      later.send(get('/later'));
      holding.release();
      assert.equal((await later.readResponse()).status, 200);
      assert.equal((await holding.client.readResponse()).status, 200);
      const all = app.connections.map((connection) => connection.received.toString('latin1')).join('');
      assert.doesNotMatch(all, /\/gone/);
    });

    test('an upgrade waits as a request does, and holds its connection until it is closed', async () => {
      const holding = await hold(impatient);
      const upgraded = await impatient.connect();
      upgraded.send(get('/switch', 'Connection: Upgrade', 'Upgrade: x'));
      // Whichever forwarder carries requests, tunnels are carried by wire, whose one connection they share with nobody.
      if (forwarder === 'wire') holding.release();
      assert.equal((await upgraded.readResponse()).status, 101);
      const waiting = await impatient.connect();
      waiting.send(get('/switch', 'Connection: Upgrade', 'Upgrade: x'));
      const answer = await waiting.readResponse();
      assert.equal(answer.status, 503, 'a second connection beside the tunnel');
      assert.match(answer.headText, /details="upstream_busy"/);
      if (forwarder !== 'wire') holding.release();
      upgraded.destroy();
      const later = await impatient.connect();
      later.send(get('/switch', 'Connection: Upgrade', 'Upgrade: x'));
      assert.equal((await later.readResponse()).status, 101);
      later.destroy();
    });
  });
}
