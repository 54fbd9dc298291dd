// An app that owes a byte and sends none: 504, and its connection is closed. One that does not take a connection: 504 too. But
// while it is the client's turn, the app owes nothing, however long the client thinks.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { eventually } from '../support/poll.ts';
import { answerEach, createRecorder, type Script } from '../support/recorder.ts';
import { forwarders, openLane } from '../support/stage.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const silent: Script = () => {};

for (const forwarder of forwarders) {
  for (const [name, request] of Object.entries({
    GET: 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n',
    POST: 'POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi',
  })) {
    test(`${forwarder}: an app that never answers a ${name}`, async () => {
      const app = await createRecorder(silent);
      const lane = await openLane({ forwarder, upstream: app.port, args: ['--upstream-timeout', '500ms'] });
      after(async () => {
        await lane.close();
        await app.close();
      });
      const client = await lane.connect();
      const started = performance.now();
      client.send(request);
      const answer = await client.readResponse();
      assert.equal(answer.status, 504);
      assert.match(answer.headText, /error=http_response_timeout; details="upstream_timeout"/);
      assert.ok(performance.now() - started >= 495);
      await app.connections[0]?.waitForClose();
      assert.equal(app.connections.length, 1);
      client.destroy();
      await lane.close();
      await app.close();
    });
  }

  test(`${forwarder}: an app that falls silent in its answer is cut`, async () => {
    const app = await createRecorder((connection) => {
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    });
    const lane = await openLane({ forwarder, upstream: app.port, args: ['--upstream-timeout', '2s'] });
    after(async () => {
      await lane.close();
      await app.close();
    });
    const client = await lane.connect();
    client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    const answer = await client.readResponse();
    assert.deepEqual([answer.status, answer.complete, answer.body.toString()], [200, false, 'half']);
    await app.connections[0]?.waitForClose();
    await lane.sidecar.waitForLog((line) => line.reason === 'upstream_timeout');
    await lane.close();
    await app.close();
  });

  test(`${forwarder}: a client that thinks before its upload is not the app's fault`, async () => {
    const app = await createRecorder(answerEach(() => OK));
    const args = ['--upstream-timeout', '2s', '--client-timeout', '10m'];
    const lane = await openLane({ forwarder, upstream: app.port, args });
    after(async () => {
      await lane.close();
      await app.close();
    });
    // First on a fresh connection, then on a used one.
    for (const body of ['one', 'two']) {
      const client = await lane.connect();
      client.send('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\n');
      const thoughtUntil = performance.now() + 3000;
      await eventually(() => client.received.length > 0 || performance.now() > thoughtUntil, { what: 'a thought' });
      assert.equal(client.received.toString('latin1'), '', 'an answer to half a request');
      client.send(body);
      assert.equal((await client.readResponse()).status, 200);
      client.destroy();
    }
    await lane.close();
    await app.close();
  });

  test(`${forwarder}: an app that takes no connection`, async () => {
    const stopped = await openStoppedApp();
    const lane = await openLane({ forwarder, upstream: stopped.port, args: ['--upstream-connect-timeout', '500ms'] });
    after(async () => {
      await lane.close();
      stopped.close();
    });
    const client = await lane.connect();
    client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    const answer = await client.readResponse();
    assert.equal(answer.status, 504);
    assert.match(answer.headText, /details="upstream_connect_timeout"/);
    client.destroy();
    await lane.close();
    stopped.close();
  });
}

/** A process that listens and is stopped, its queue of connections filled: the kernel lets further ones wait. */
async function openStoppedApp(): Promise<{ port: number; close(): void }> {
  const source = `const s=require('node:net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(chunk.toString());
  child.kill('SIGSTOP');
  const fillers: Socket[] = [];
  const waits = async (): Promise<boolean> => {
    const filler = connect({ port, host: '127.0.0.1' }).on('error', () => {});
    fillers.push(filler);
    const until = performance.now() + 1000;
    await eventually(() => !filler.connecting || performance.now() > until, { what: 'a connection' });
    return filler.connecting;
  };
  await eventually(waits, { what: 'a full queue', everyMs: 0 });
  return {
    port,
    close() {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
    },
  };
}
