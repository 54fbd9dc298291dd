// The README's tables are what the code says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { withTables } from '../../../docs/tables.ts';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

it('the options and metrics tables of the README are up to date (npm run fix writes them)', () => {
  assert.equal(withTables(readme), readme);
});

it('a table that drifted is seen', () => {
  const drifted = readme.replace('`--listen [HOST]:PORT`', '`--listen PORT`');
  assert.notEqual(drifted, readme);
  assert.notEqual(withTables(drifted), drifted);
});
