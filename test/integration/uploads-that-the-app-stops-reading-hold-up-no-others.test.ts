// Uploads that the app has begun to read and stopped reading: whatever else their connection carries, and every other
// connection of the client, goes on, in a container whose memory they could fill.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const MIB = 1 << 20;
const CONNECTIONS = 3;
const UPLOADS = 14;
/** What the program believes that its container has. */
const MEMORY = 128 * MIB;
const small = {
  NODE_OPTIONS: `--import=data:text/javascript,process.constrainedMemory=()=>${MEMORY}`,
};

function open(t: TestContext, sidecar: Sidecar): ClientHttp2Session {
  // The client's own limit, in MB: it counts what waits to be sent.
  const options = { rejectUnauthorized: false, maxSessionMemory: 4000 };
  const session = http2.connect(`https://127.0.0.1:${sidecar.port}`, options);
  session.on('error', () => {});
  t.after(() => session.destroy());
  return session;
}

function begin(session: ClientHttp2Session, path: string, bytes: number): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': path });
  stream.on('error', () => {});
  stream.end(Buffer.alloc(bytes, 'x'));
  return stream;
}

/** Resolves with status and body, or with what ended it. */
function answerOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    stream.on('response', (fields) => {
      text = `${fields[':status']} `;
    });
    stream.on('data', (chunk) => {
      text += chunk;
    });
    stream.on('close', () => resolve(text));
  });
}

test('requests beside them are answered, on their connection and on others', async (t) => {
  const stage = await setStage(t);
  const stopped: IncomingMessage[] = [];
  const app = await startApp(t, (request, response) => {
    let bytes = 0;
    request.on('error', () => {});
    request.on('data', (chunk) => {
      bytes += chunk.length;
      // The first bytes of each are taken.
      if (request.url !== '/stop' || request.isPaused()) return;
      request.pause();
      stopped.push(request);
    });
    request.on('end', () => response.end(String(bytes)));
  });
  const sidecar = await stage.start({ upstream: app.port, env: small });
  const sessions = Array.from({ length: CONNECTIONS }, () => open(t, sidecar));
  const streams = sessions.flatMap((session) =>
    Array.from({ length: UPLOADS }, () => begin(session, '/stop', 16 * MIB)),
  );
  await eventually(() => stopped.length === CONNECTIONS * UPLOADS, {
    what: 'uploads that the app has stopped reading',
  });
  // Until the windows are used up, or the sidecar takes no more.
  const sent = (): number => streams.reduce((sum, { state }) => sum + (state.localWindowSize ?? 0), 0);
  let before = Number.NaN;
  const stands = (): boolean => {
    const [last, now] = [before, sent()];
    before = now;
    return last === now;
  };
  await eventually(stands, { what: 'a standstill', everyMs: 500 });

  const [first] = sessions as [ClientHttp2Session];
  for (const session of [first, open(t, sidecar)]) {
    const asked = [20_000, 5 * MIB].map((bytes) => answerOf(begin(session, '/take', bytes)));
    assert.deepEqual(await Promise.all(asked), ['200 20000', `200 ${5 * MIB}`]);
  }
  for (const session of sessions) session.destroy();
  await endsWell(sidecar);
});
