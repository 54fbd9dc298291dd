// The bytes of one answer that wait for their client are not overwritten by the answer to another: what a client gets is
// what the app gave for it, however long it leaves its window shut.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { Setting, windowUpdate } from '../support/h2-frames.ts';
import { answerEach, createRecorder, response } from '../support/recorder.ts';
import { openLane } from '../support/stage.ts';

test('a stalled answer is untouched by those that come after it, on the connections that were idle before', async (t) => {
  const large = randomBytes(1 << 20);
  const app = await createRecorder(
    answerEach((request) => response(request.startsWith('GET /large ') ? large : Buffer.alloc(3000, 'X'))),
  );
  const lane = await openLane({ forwarder: 'wire', upstream: app.port });
  t.after(async () => {
    await lane.close();
    await app.close();
  });
  const other = await connectH2({ port: lane.sidecar.port });
  const twenty = async (): Promise<void> => {
    const ids = Array.from({ length: 20 }, () => other.request(fieldsOf({ ':path': '/small' })));
    for (const id of ids) assert.equal((await other.over(id)).bytes, 3000);
  };
  for (let round = 0; round < 3; round++) {
    await twenty();
    const stalled = await connectH2({ port: lane.sidecar.port, settings: [[Setting.initialWindowSize, 0]] });
    const ids = Array.from({ length: 5 }, () => stalled.request(fieldsOf({ ':path': '/large' })));
    await stalled.until(() => ids.every((id) => stalled.status(id) === 200), 'the heads');
    await twenty();
    await twenty();
    for (const id of ids) stalled.send(windowUpdate(id, large.length));
    for (const id of ids) {
      await stalled.over(id);
      const at = firstDifference(stalled.body(id), large);
      assert.equal(
        at,
        -1,
        `byte ${at} is not the app's: ${stalled
          .body(id)
          .subarray(at, at + 80)
          .toString('latin1')}`,
      );
    }
    stalled.destroy();
  }
  other.destroy();
});

function firstDifference(got: Buffer, wanted: Buffer): number {
  if (got.equals(wanted)) return -1;
  for (let at = 0; at < wanted.length; at++) if (got[at] !== wanted[at]) return at;
  return wanted.length;
}
