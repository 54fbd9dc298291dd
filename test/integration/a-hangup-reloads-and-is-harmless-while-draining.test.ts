// SIGHUP looks at the certificate files now, and does nothing else: not while the sidecar drains, either. Other signals do
// nothing.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { endsWell } from '../support/ended-well.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { serialServed, setStage } from '../support/stage.ts';
import { withoutPoll } from '../support/without-poll.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test('SIGHUP takes a changed pair at once, where no event would tell of it', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port, env: withoutPoll });
  // Into the directory behind ..data, which no kubelet changes: it is not watched.
  const write = async ({ chain, key }: { chain: string; key: string }): Promise<void> => {
    await writeFile(join(stage.volume.path('..data'), 'tls.crt'), chain);
    await writeFile(join(stage.volume.path('..data'), 'tls.key'), key);
  };
  for (const round of [1, 2, 3]) {
    const next = await stage.issue();
    await write(next);
    sidecar.kill('SIGHUP');
    await eventually(async () => (await serialServed(sidecar)) === next.serial, {
      what: `the new serial, round ${round}`,
    });
  }
  await endsWell(sidecar);
});

test('SIGHUP without a change changes nothing and disturbs nobody', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port });
  const client = await connect({ port: sidecar.port });
  client.send(get);
  const { response } = await app.waitFor(1);
  for (let count = 0; count < 10; count += 1) sidecar.kill('SIGHUP');
  response.end('fine');
  assert.equal((await client.readResponse()).body.toString(), 'fine');
  assert.equal(await serialServed(sidecar), stage.pair.serial);
  client.end();
  await client.closed;
  assert.ok(!sidecar.logs.some(({ msg }) => msg === 'certificate reloaded'));
  await endsWell(sidecar);
});

test('SIGHUP while draining is harmless', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port });
  const client = await connect({ port: sidecar.port });
  client.send(get);
  const { response } = await app.waitFor(1);
  sidecar.kill('SIGTERM');
  await sidecar.waitForLog(({ state }) => state === 'draining');
  sidecar.kill('SIGHUP');
  await stage.volume.write({ 'tls.crt': 'garbage', 'tls.key': 'garbage' });
  sidecar.kill('SIGHUP');
  response.end('fine');
  assert.equal((await client.readResponse()).body.toString(), 'fine');
  await client.closed;
  assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
  assert.equal(sidecar.stderr, '');
});

test("SIGUSR1 and SIGUSR2 do nothing: no debugger of Node's listens, and nothing ends", async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port });
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) sidecar.kill(signal);
  // Signals come before what is asked afterwards, and a debugger says on stderr that it listens, which a good end has not.
  sidecar.kill('SIGHUP');
  await sidecar.waitForLog('nothing to reload: nothing has changed');
  assert.equal(await serialServed(sidecar), stage.pair.serial);
  await endsWell(sidecar);
});
