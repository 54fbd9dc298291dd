// --wait-for-cert: without a pair that can be served the TLS port stays closed and /startupz says 503, until one is there;
// then the process goes on by itself. A signal meanwhile ends it well.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askAdminAt } from '../support/admin.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { createSecretVolume } from '../support/secret-volume.ts';
import { type SidecarOptions, startSidecar } from '../support/sidecar.ts';
import { type Stage, serialServed, setStage } from '../support/stage.ts';

type Scene = { stage: Stage; port: number; admin: number; args: string[]; options: SidecarOptions };

async function begin(t: TestContext): Promise<Scene> {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const [port, admin] = [await unusedPort(), await unusedPort()];
  const pair = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
  const ports = ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${admin}`];
  const args = ['--wait-for-cert', ...pair, ...ports, '--upstream', `http://127.0.0.1:${app.port}`];
  return { stage, port, admin, args, options: { args } };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  const open = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return open;
}

/** The status of /startupz; 0 while the admin port is closed, too. */
const startup = (admin: number): Promise<number> =>
  askAdminAt(admin, '/startupz').then(
    ({ status }) => status,
    () => 0,
  );

const sources: Record<string, (stage: Stage) => Promise<() => Promise<unknown>>> = {
  'an optional Secret, mounted empty': async (stage) => {
    await stage.volume.write({});
    return () => stage.volume.write(stage.files(stage.pair));
  },
  'a directory that does not exist': async (stage) => {
    await rm(stage.volume.dir, { recursive: true });
    return async () => (await createSecretVolume(stage.volume.dir)).write(stage.files(stage.pair));
  },
  'a pair that cannot be served': async (stage) => {
    await stage.volume.write({ 'tls.crt': stage.pair.chain, 'tls.key': (await stage.issue()).key });
    return () => stage.volume.write(stage.files(stage.pair));
  },
};

for (const [what, prepare] of Object.entries(sources)) {
  test(`${what}: it waits, and serves when the pair comes`, async (t) => {
    const { stage, port, admin, options } = await begin(t);
    const bring = await prepare(stage);
    const starting = startSidecar(options);
    await eventually(async () => (await startup(admin)) === 503, { what: '/startupz 503' });
    assert.equal(await isOpen(port), false);
    assert.equal((await askAdminAt(admin, '/readyz')).status, 503);
    assert.equal((await askAdminAt(admin, '/livez')).status, 200);
    const { certificates } = JSON.parse((await askAdminAt(admin, '/status')).body);
    assert.equal(certificates[0].served, null);
    await bring();
    const sidecar = await starting;
    t.after(() => sidecar.stop('SIGKILL'));
    assert.equal(await serialServed(sidecar), stage.pair.serial);
    assert.equal(await startup(admin), 200);
    const waiting = sidecar.logs.filter(({ msg }) => msg === 'waiting for a certificate');
    assert.equal(waiting.length, 1, JSON.stringify(waiting));

    // From then on it is a sidecar like any other.
    const next = await stage.issue();
    await stage.volume.write(stage.files(next));
    await eventually(async () => (await serialServed(sidecar)) === next.serial, {
      what: 'a rotation',
    });
    await endsWell(sidecar);
  });
}

test('of several pairs the first that comes is served, and the others when they come', async (t) => {
  const { stage, admin, args } = await begin(t);
  await stage.volume.write({});
  const late = join(stage.dir, 'late');
  await mkdir(late);
  const volume = await createSecretVolume(late);
  const pair = ['--cert', volume.path('tls.crt'), '--key', volume.path('tls.key')];
  const starting = startSidecar({ args: [...args, ...pair] });
  await eventually(async () => (await startup(admin)) === 503, { what: '/startupz 503' });
  const second = await stage.issue();
  await volume.write(stage.files(second));
  const sidecar = await starting;
  t.after(() => sidecar.stop('SIGKILL'));
  assert.equal(await serialServed(sidecar), second.serial);
  await stage.volume.write(stage.files(stage.pair));
  const first = async (): Promise<boolean> => (await serialServed(sidecar)) === stage.pair.serial;
  await eventually(first, { what: 'the first pair as the default' });
  await endsWell(sidecar);
});

test('a signal while it waits ends it with 0, and a taken port with 2', async (t) => {
  const { stage, admin, args, options } = await begin(t);
  await stage.volume.write({});
  const waiting = startSidecar(options).then(
    () => 'serving',
    (error: Error) => error.message,
  );
  await eventually(async () => (await startup(admin)) === 503, { what: '/startupz 503' });
  const { pid } = JSON.parse((await askAdminAt(admin, '/status')).body);
  process.kill(pid, 'SIGTERM');
  assert.match(await waiting, /exited with 0/);

  const taken = await startApp(t, () => {});
  await stage.volume.write(stage.files(stage.pair));
  const { code, stderr } = await runToExit([...args, '--listen', `127.0.0.1:${taken.port}`].filter(lastListen));
  assert.equal(code, 2);
  assert.match(stderr, /--listen: cannot listen on .* in use/);
});

test('without it, the same is exit code 2 at once', async (t) => {
  const { stage, args } = await begin(t);
  await stage.volume.write({});
  const { code, stdout, stderr } = await runToExit(args.slice(1));
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /^tls-sidecar: .*tls\.crt does not exist; see --cert and --key\n$/);
});

/** An option is given once: the first --listen goes. */
function lastListen(_: string, at: number, all: string[]): boolean {
  const first = all.indexOf('--listen');
  return at !== first && at !== first + 1;
}
