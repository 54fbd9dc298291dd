// An answer that the app did not finish is never ended as if it were complete: whatever framing told its end, and however
// the app died, the client's connection is cut. The next request is not harmed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { createRecorder } from '../support/recorder.ts';
import { forwarders, setStage } from '../support/stage.ts';

const get = (version = '1.1'): string => `GET / HTTP/${version}\r\nHost: localhost\r\n\r\n`;

/** What the app sends before it dies: `died` is all that came of the body. */
const framings = {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
  'chunked, in a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf',
  'chunked, before the last line': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n',
  'until close': 'HTTP/1.1 200 OK\r\n\r\nhalf',
  'until close, HTTP/1.0': 'HTTP/1.0 200 OK\r\n\r\nhalf',
} as const;

for (const forwarder of forwarders) {
  describe(`the client sees the cut (${forwarder})`, { concurrency: 4 }, () => {
    for (const [framing, bytes] of Object.entries(framings)) {
      for (const how of ['RST', 'FIN'] as const) {
        // A FIN is the end in order of an answer until close: nobody can know better.
        if (how === 'FIN' && framing.startsWith('until close')) continue;
        test(`${framing}, ${how}`, async (t) => {
          const stage = await setStage(t);
          const app = await createRecorder(async (connection) => {
            await connection.waitFor('\r\n\r\n');
            if (connection.index > 0) return connection.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine');
            connection.write(bytes);
            await seen;
            if (how === 'RST') connection.reset();
            else connection.end();
          });
          t.after(() => app.close());
          let tell = (): void => {};
          const seen = new Promise<void>((resolve) => {
            tell = resolve;
          });
          const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder] });
          const client = await connect({ port: sidecar.port });
          client.send(get());
          await client.waitFor('half');
          tell();
          await client.closed;
          const answer = await client.readResponse();
          assert.equal(answer.status, 200);
          assert.equal(answer.body.toString(), 'half');
          assert.equal(answer.complete, false, `ended as if complete: ${JSON.stringify(client.received.toString())}`);
          const line = await sidecar.waitForLog('request');
          assert.deepEqual([line.status, line.reason, line.side], [200, 'upstream_closed', 'upstream']);

          const next = await connect({ port: sidecar.port });
          next.send(get());
          assert.equal((await next.readResponse()).body.toString(), 'fine');
          next.end();
          await next.closed;
          await endsWell(sidecar);
        });
      }
    }

    test('an HTTP/1.0 client, whose answer ends with the connection, gets no close_notify after a cut', async (t) => {
      if (!needs(t, 'openssl')) return;
      const stage = await setStage(t);
      let tell = (): void => {};
      const seen = new Promise<void>((resolve) => {
        tell = resolve;
      });
      const app = await createRecorder(async (connection) => {
        await connection.waitFor('\r\n\r\n');
        connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n');
        await seen;
        connection.reset();
      });
      t.after(() => app.close());
      const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder] });
      // node:tls takes a bare FIN for an end in order, so OpenSSL's own client is the judge.
      const client = spawn('openssl', ['s_client', '-quiet', '-connect', `127.0.0.1:${sidecar.port}`]);
      t.after(() => client.kill());
      let said = '';
      for (const stream of [client.stdout, client.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          said += chunk;
        });
      }
      client.stdin.on('error', () => {});
      client.stdin.write(get('1.0'));
      await eventually(() => said.includes('half'), { what: 'the first half of the answer' });
      const ended = new Promise<number | null>((resolve) => client.once('close', resolve));
      tell();
      await ended;
      assert.match(said, /unexpected eof|reset by peer|errno=104/i, said);
      await endsWell(sidecar);
    });
  });

  test(`an app that dies before a byte of its answer is a 502, and is told as such (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const app = await createRecorder(async (connection) => {
      await connection.waitFor('\r\n\r\n');
      if (connection.index === 0) connection.end();
      else connection.reset();
    });
    t.after(() => app.close());
    const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder] });
    const client = await connect({ port: sidecar.port });
    for (const _ of ['FIN', 'RST']) {
      client.send(get());
      const answer = await client.readResponse();
      assert.equal(answer.status, 502);
      assert.match(
        answer.headText,
        /Proxy-Status: tls-sidecar; error=connection_terminated; details="upstream_closed"/,
      );
    }
    assert.equal(
      (await readMetrics(sidecar)).sum('failures_total', { reason: 'upstream_closed', side: 'upstream' }),
      2,
    );
    client.end();
    await client.closed;
    await endsWell(sidecar);
  });
}
