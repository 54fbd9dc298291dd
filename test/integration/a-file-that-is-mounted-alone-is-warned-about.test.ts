// A subPath mount, or one file that a container engine mounts, stays as it is for ever: the certificate's, the key's or the
// client CA's, each is found by `check` and at the start, and the rest is not accused.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { runToExit } from '../support/program.ts';
import { setStage } from '../support/stage.ts';

for (const what of ['certificate', 'key', 'client CA'] as const) {
  test(`the ${what}`, async (t) => {
    if (!needs(t, 'root', 'unshare', 'mount')) return;
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end());
    const { chain, key } = await stage.issue();
    const content = { certificate: chain, key, 'client CA': stage.authority.rootPem };
    const paths = {
      certificate: join(stage.dir, 'a.crt'),
      key: join(stage.dir, 'a.key'),
      'client CA': join(stage.dir, 'ca'),
    };
    for (const [name, path] of Object.entries(paths)) await writeFile(path, content[name as keyof typeof content]);
    const [from, to] = [join(stage.dir, 'from'), paths[what]];
    await writeFile(from, content[what]);
    // The mount is seen by the sidecar alone, and goes with it.
    const mounted = ['sh', '-c', 'mount --bind "$1" "$2" && shift 2 && exec "$@"', 'sh', from, to];
    const node = process.env.TEST_NODE ?? process.execPath;
    const alone = { node: 'unshare', nodeArgs: ['--mount', ...mounted, node] };

    const ca = ['--client-ca', paths['client CA']];
    const pair = ['--cert', paths.certificate, '--key', paths.key];
    const upstream = [
      '--upstream',
      `http://127.0.0.1:${app.port}`,
      '--listen',
      '127.0.0.1:0',
      '--admin',
      '127.0.0.1:0',
    ];
    const { stdout } = await runToExit(['check', ...pair, ...ca, ...upstream], alone);
    const accused = stdout.split('\n').filter((line) => line.includes('never sees a renewal'));
    assert.equal(accused.length, 1, stdout);
    assert.ok(accused[0]?.includes(`${to} is mounted as a single file`), accused[0]);

    const { certificate: cert, key: keyPath } = paths;
    const sidecar = await stage.start({ upstream: app.port, cert, key: keyPath, args: ca, ...alone });
    const warned = sidecar.logs.filter(({ reason }) => reason === 'subpath_mount');
    assert.deepEqual(
      warned.map(({ level, detail }) => [level, String(detail).includes(to)]),
      [['warn', true]],
    );
    await endsWell(sidecar);
  });
}
