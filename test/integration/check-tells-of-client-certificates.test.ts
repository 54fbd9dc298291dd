// `check` says of --client-ca what `serve` would: whether it can be used, whose certificates would be admitted, and the
// mend; and what contradicts itself is refused by both.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createAuthority } from '../../certs/authority.ts';
import { runToExit } from '../support/program.ts';
import { setStage } from '../support/stage.ts';

const authority = await createAuthority({ commonName: 'Clients' });
const leaf = await authority.issue({ usage: 'client', commonName: 'web' });

type Case = readonly [what: string, content: string | undefined, args: string[], code: number, says: RegExp[]];
const cases: readonly Case[] = [
  [
    'a good CA without a rule',
    authority.pem,
    [],
    0,
    [/^ok .*ca\.pem holds 1 CA of clients: CN=Clients$/m, /^warning .*every certificate of .* is admitted; narrow it/m],
  ],
  [
    'a good CA with rules',
    authority.pem,
    ['--allow-cn', 'web', '--allow-uri', 'spiffe://td/*'],
    0,
    [/^ok .*\(require\) are admitted by cn web, uri spiffe:\/\/td\/\*$/m],
  ],
  ['a CA that is not there', undefined, [], 1, [/^failed .*--client-ca: .*ca\.pem does not exist/m]],
  ['an empty file', '', [], 1, [/^failed .*--client-ca: .*ca\.pem is empty/m]],
  ['a certificate that is no CA', leaf.cert, [], 1, [/^failed .*\(CN=web\) is not of a CA/m]],
];

describe('check tells of', { concurrency: 2 }, () => {
  for (const [what, content, more, code, says] of cases) {
    test(what, async (t) => {
      const stage = await setStage(t);
      const file = join(stage.dir, 'ca.pem');
      if (content !== undefined) await writeFile(file, content);
      const pair = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
      const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
      const outcome = await runToExit(['check', ...pair, ...ports, '--client-ca', file, ...more]);
      assert.deepEqual([outcome.code, outcome.stderr], [code, ''], outcome.stdout);
      for (const pattern of says) assert.match(outcome.stdout, pattern);
    });
  }
});

test('serve does not start with a CA that cannot be used, and says why in one line', async (t) => {
  const stage = await setStage(t);
  const file = join(stage.dir, 'ca.pem');
  await writeFile(file, leaf.cert);
  const pair = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
  const outcome = await runToExit([...pair, '--client-ca', file, '--listen', '127.0.0.1:0', '--admin', 'off']);
  assert.equal(outcome.code, 2);
  assert.match(outcome.stderr, /^tls-sidecar: --client-ca: certificate 1 in .*ca\.pem \(CN=web\) is not of a CA.*\n$/);
});
