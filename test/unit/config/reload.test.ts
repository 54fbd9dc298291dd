// What a reload of the configuration takes, and what it names as needing a restart.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Flags, loadConfig } from '../../../src/config/config.ts';
import { changesBetween } from '../../../src/config/reload.ts';

const CA = { 'client-ca': 'ca.pem' };

function changes(before: Flags, after: Flags) {
  return changesBetween(
    loadConfig({ ...CA, ...before }, {}, undefined).config,
    loadConfig({ ...CA, ...after }, {}, undefined).config,
  );
}

describe('between two configurations', () => {
  const rows: readonly (readonly [
    what: string,
    before: Flags,
    after: Flags,
    inForce: string[],
    needRestart: string[],
  ])[] = [
    ['nothing has changed', { listen: ':1' }, { listen: ':1' }, [], []],
    ['the same is said in other words', { 'idle-timeout': '60s' }, { 'idle-timeout': '1m' }, [], []],
    ['a rule has come', {}, { 'allow-dns': ['a.example'] }, ['allow-dns'], []],
    ['rules stand in another order', { 'allow-cn': ['a', 'b'] }, { 'allow-cn': ['b', 'a'] }, ['allow-cn'], []],
    [
      'limits of requests have changed',
      {},
      { 'rate-limit': '5/s', 'max-body-size': '1M' },
      ['max-body-size', 'rate-limit'],
      [],
    ],
    ['a rate is said in other words', { 'rate-limit': '5/s' }, { 'rate-limit': '5/s:5' }, [], []],
    ['a rule has gone', { 'allow-uri': ['x'] }, {}, ['allow-uri'], []],
    ['an address has changed', { listen: ':1' }, { listen: ':2' }, [], ['listen']],
    ['the mode has changed', {}, { 'client-auth': 'request' }, [], ['client-auth']],
    [
      'both kinds have changed',
      { 'log-level': 'info', 'allow-ou': ['a'] },
      { 'log-level': 'warn', 'allow-ou': ['b'], 'client-ca': 'other.pem', admin: 'off' },
      ['allow-ou', 'log-level'],
      ['client-ca', 'admin'],
    ],
  ];
  for (const [what, before, after, inForce, needRestart] of rows)
    test(what, () => assert.deepEqual(changes(before, after), { inForce, needRestart }));
});
