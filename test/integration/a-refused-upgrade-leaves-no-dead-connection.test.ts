// An app that refuses an upgrade may keep that connection, and close it later. The next request must not be given to it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { answerEach, createRecorder, response } from '../support/recorder.ts';
import { forwarders, openLane } from '../support/stage.ts';

for (const forwarder of forwarders) {
  test(`${forwarder}: a request after a refused upgrade`, async () => {
    const refuses = (request: string): Buffer =>
      request.startsWith('GET /up') ? response('', { status: '403 Forbidden' }) : response('ok');
    const app = await createRecorder(answerEach(refuses));
    const lane = await openLane({ forwarder, upstream: app.port });
    after(async () => {
      await lane.close();
      await app.close();
    });
    const client = await lane.connect();
    client.send('GET /up HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n');
    assert.equal((await client.readResponse()).status, 403);
    const [connection] = app.connections;
    connection?.end();
    await connection?.waitForClose();
    client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    assert.equal((await client.readResponse()).status, 200);
    client.destroy();
  });
}
