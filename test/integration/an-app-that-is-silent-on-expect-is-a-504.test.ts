// A client that awaits a 100 owes no byte before it: an app that says nothing is told of as such, and the client is not blamed. After
// the 100, or the first byte of a body that is sent without it, the client's own time-out runs.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createRecorder } from '../support/recorder.ts';
import { forwarders, openLane } from '../support/stage.ts';

const EXPECTS = 'POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';

for (const forwarder of forwarders) {
  const begin = async (args: readonly string[], script?: Parameters<typeof createRecorder>[0]) => {
    const app = await createRecorder(script);
    const lane = await openLane({ forwarder, upstream: app.port, args });
    after(async () => {
      await lane.close();
      await app.close();
    });
    return { app, lane, client: await lane.connect() };
  };

  test(`${forwarder}: an app that says nothing is a 504, though the client's time is shorter`, async () => {
    const { app, lane, client } = await begin(['--upstream-timeout', '1s', '--client-timeout', '300ms']);
    client.send(EXPECTS);
    const answer = await client.readResponse();
    assert.equal(answer.status, 504);
    assert.match(answer.headText, /details="upstream_timeout"/);
    await app.connections[0]?.waitForClose();
    await client.closed;
    assert.deepEqual(lane.defects, []);
  });

  test(`${forwarder}: a client that sends nothing after the 100 is a 408`, async () => {
    const { lane, client } = await begin(
      ['--upstream-timeout', '300ms', '--client-timeout', '1s'],
      async (connection) => {
        await connection.waitFor('\r\n\r\n');
        connection.write('HTTP/1.1 100 Continue\r\n\r\n');
      },
    );
    client.send(EXPECTS);
    await client.waitFor('HTTP/1.1 100 Continue\r\n\r\n');
    const text = await client.waitFor(/HTTP\/1.1 [4-5]/);
    assert.match(text, /HTTP\/1.1 408/);
    await client.closed;
    assert.deepEqual(lane.defects, []);
  });

  test(`${forwarder}: a client that begins without the 100 and stops is a 408`, async () => {
    const { lane, client } = await begin(['--upstream-timeout', '10s', '--client-timeout', '500ms']);
    client.send(`${EXPECTS}ab`);
    assert.equal((await client.readResponse()).status, 408);
    await client.closed;
    assert.deepEqual(lane.defects, []);
  });
}
