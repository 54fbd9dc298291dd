// The README's tables are what the code says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { withTables } from '../../../docs/tables.ts';
import { REJECTIONS } from '../../../src/errors.ts';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

it('the generated tables of the README are up to date (npm run fix writes them)', () => {
  assert.equal(withTables(readme), readme);
});

for (const [table, from, to] of [
  ['options', '`--listen [HOST]:PORT`', '`--listen PORT`'],
  ['reasons', '| `upstream_busy` | 503 |', '| `upstream_busy` | 502 |'],
  ['connection reasons', '| `flood` |', '| `flooded` |'],
  ['handshake reasons', '| `not_tls` |', '| `no_tls` |'],
  ['certificate reasons', '| `weak_key` |', '| `weak` |'],
  ['metrics', '| `tls_sidecar_draining` | gauge |', '| `tls_sidecar_draining` | counter |'],
] as const) {
  it(`a table of ${table} that drifted is seen`, () => {
    const drifted = readme.replace(from, to);
    assert.notEqual(drifted, readme);
    assert.equal(withTables(drifted), readme);
  });
}

it('every reason of a rejection stands in the README', () => {
  for (const reason of Object.keys(REJECTIONS)) assert.ok(readme.includes(`\n| \`${reason}\` |`), reason);
});
