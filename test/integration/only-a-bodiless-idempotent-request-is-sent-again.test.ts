// One second try, and only where the app cannot have acted or may act twice: the connection had been used before, no byte of an
// answer has come, the method is idempotent and there is no body. Everything else is a 502, and the app sees it once.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRecorder, type Recorder, type RecorderConnection, response } from '../support/recorder.ts';
import { cutRequest } from '../support/requests.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

type Case = {
  name: string;
  request: string;
  before?: string;
  status: number;
  seen: number;
  reset?: true;
  fresh?: true;
};

const CASES: Case[] = [
  // First, while no connection has been used.
  {
    name: 'GET on a fresh connection: once',
    request: 'GET /try HTTP/1.1\r\nHost: app.test\r\n\r\n',
    status: 502,
    seen: 1,
    fresh: true,
  },
  ...['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].map((method) => ({
    name: `${method} without a body on a used connection: again`,
    request: `${method} /try HTTP/1.1\r\nHost: app.test\r\n\r\n`,
    status: 200,
    seen: 2,
  })),
  {
    name: 'GET on a used connection that is reset: again',
    request: 'GET /try HTTP/1.1\r\nHost: app.test\r\n\r\n',
    status: 200,
    seen: 2,
    reset: true,
  },
  {
    name: 'GET after the first bytes of an answer: once',
    request: 'GET /try HTTP/1.1\r\nHost: app.test\r\n\r\n',
    before: 'HTTP/1.1 2',
    status: 502,
    seen: 1,
  },
  {
    name: 'GET after an interim answer: once',
    request: 'GET /try HTTP/1.1\r\nHost: app.test\r\n\r\n',
    before: 'HTTP/1.1 103 Early Hints\r\n\r\n',
    status: 502,
    seen: 1,
  },
  ...['POST', 'PATCH', 'PROPFIND'].map((method) => ({
    name: `${method} without a body: once`,
    request: `${method} /try HTTP/1.1\r\nHost: app.test\r\n\r\n`,
    status: 502,
    seen: 1,
  })),
  ...['POST', 'PUT', 'GET'].map((method) => ({
    name: `${method} with a body: once`,
    request: `${method} /try HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi`,
    status: 502,
    seen: 1,
  })),
  {
    name: 'DELETE with a chunked body: once',
    request: 'DELETE /try HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    status: 502,
    seen: 1,
  },
  {
    name: 'POST on a used connection that is reset: once',
    request: 'POST /try HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi',
    status: 502,
    seen: 1,
    reset: true,
  },
];

for (const forwarder of forwarders) {
  describe(forwarder, () => {
    let app: Recorder;
    let lane: Lane;
    let present: Case;
    let tries = 0;

    /** Answers everything, but breaks off the first try of the present case. */
    const script = async (connection: RecorderConnection): Promise<void> => {
      let at = 0;
      for (;;) {
        await connection.waitFor((received) => cutRequest(received, at).kind === 'complete', Number.POSITIVE_INFINITY);
        const next = cutRequest(connection.received, at);
        if (next.kind !== 'complete') return;
        at = next.request.end;
        const isTry = next.request.bytes.includes('/try');
        if (!isTry || ++tries > 1) connection.write(response(next.request.bytes.includes('HEAD') ? '' : 'ok'));
        else if (present.reset) return connection.reset();
        else return connection.end(present.before ?? '');
      }
    };

    before(async () => {
      app = await createRecorder(script);
      lane = await openLane({ forwarder, upstream: app.port });
    });
    after(async () => {
      await lane.close();
      await app.close();
    });

    for (const row of CASES) {
      test(row.name, async () => {
        present = row;
        tries = 0;
        const client = await lane.connect();
        if (!row.fresh) {
          client.send('GET /first HTTP/1.1\r\nHost: app.test\r\n\r\n');
          assert.equal((await client.readResponse()).status, 200);
        }
        client.send(row.request);
        const answer = await client.readResponse({ head: row.request.startsWith('HEAD') });
        client.destroy();
        assert.deepEqual({ status: answer.status, seen: tries }, { status: row.status, seen: row.seen });
      });
    }
  });
}
