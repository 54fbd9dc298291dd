// Plain HTTP beside a demand for certificates is a contradiction, whichever option makes the demand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Flags, loadConfig } from '../../../src/config/config.ts';
import { ConfigError } from '../../../src/errors.ts';

function problemsOf(flags: Flags): readonly string[] {
  try {
    loadConfig(flags, {}, undefined);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
}

const CA = { 'client-ca': '/ca.crt' };

test('--plaintext forward goes with no demand for a client certificate', () => {
  assert.deepEqual(problemsOf({ plaintext: 'forward' }), []);
  assert.deepEqual(problemsOf({ plaintext: 'forward', 'client-auth': 'off' }), []);
  assert.deepEqual(problemsOf({ plaintext: 'forward', ...CA, 'client-auth': 'request' }), []);
  for (const demand of [CA, { ...CA, 'client-auth': 'require' }]) {
    const [problem, ...others] = problemsOf({ plaintext: 'forward', ...demand });
    assert.match(problem ?? '', /^--plaintext forward and a required client certificate contradict/);
    assert.deepEqual(others, []);
  }
  for (const rule of ['allow-cn', 'allow-ou', 'allow-dns', 'allow-uri']) {
    const [problem] = problemsOf({ plaintext: 'forward', ...CA, 'client-auth': 'request', [rule]: ['x'] });
    assert.match(problem ?? '', /^--plaintext forward and an allow rule contradict/, rule);
  }
});

test('the other modes go with all of them', () => {
  for (const plaintext of ['reject', 'redirect'])
    assert.deepEqual(problemsOf({ plaintext, ...CA, 'client-auth': 'require', 'allow-cn': ['x'] }), []);
});
