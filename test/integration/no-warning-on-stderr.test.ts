// Nothing is written to stderr by anybody, dependencies included, while the sidecar serves, takes a new certificate and
// stops. TEST_NODE24 names the binary of a newer Node, which deprecates more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { forwarders, serialServed, setStage } from '../support/stage.ts';

const nodes: [name: string, path: string | undefined][] = [
  ['this Node', undefined],
  ...(process.env.TEST_NODE24 === undefined ? [] : ([['TEST_NODE24', process.env.TEST_NODE24]] as [string, string][])),
];

for (const [name, path] of nodes) {
  for (const forwarder of forwarders) {
    for (const nodeArgs of [[], ['--pending-deprecation', '--trace-warnings']]) {
      test(`${forwarder}, ${name} ${nodeArgs.join(' ')}`.trim(), async (t) => {
        const stage = await setStage(t);
        const app = await startApp(t, (request, response) => {
          request.resume();
          request.on('end', () => response.end('the app'));
        });
        const args = ['--forwarder', forwarder];
        const sidecar = await stage.start({ upstream: app.port, args, nodeArgs, ...(path && { node: path }) });
        const client = await connect({ port: sidecar.port });
        for (const request of [
          'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
          'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc',
          'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
        ]) {
          client.send(request);
          assert.equal((await client.readResponse()).body.toString(), 'the app');
        }
        const next = await stage.issue();
        await stage.volume.write(stage.files(next));
        await eventually(async () => (await serialServed(sidecar)) === next.serial, { what: 'the new serial' });
        sidecar.kill('SIGHUP');
        client.end();
        await client.closed;
        await endsWell(sidecar);
      });
    }
  }
}
