// Plain HTTP beside a demand for certificates is a contradiction, whichever option makes the demand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plaintextProblem } from '../../../src/config/plaintext.ts';

test('--plaintext forward goes with no demand for a client certificate', () => {
  const none = { plaintext: 'forward', clientCa: undefined, clientAuth: 'off', allowCn: [], allowUri: [] };
  assert.equal(plaintextProblem(none), undefined);
  assert.equal(plaintextProblem({ plaintext: 'forward' }), undefined);
  assert.equal(plaintextProblem({ ...none, clientCa: '', clientAuth: undefined }), undefined);
  assert.equal(plaintextProblem({ ...none, clientCa: '/ca.crt', clientAuth: 'request' }), undefined);
  for (const demand of [
    { clientAuth: 'require' },
    { clientCa: '/ca.crt', clientAuth: undefined },
    { clientCa: '/ca.crt', clientAuth: 'auto' },
  ])
    assert.match(
      plaintextProblem({ ...none, ...demand }) ?? '',
      /^--plaintext forward and a required client certificate contradict/,
    );
  for (const name of ['allowCn', 'allowOu', 'allowDns', 'allowUri'])
    assert.match(
      plaintextProblem({ ...none, [name]: ['x'] }) ?? '',
      /^--plaintext forward and an allow rule contradict/,
    );
});

test('the other modes go with all of them', () => {
  for (const plaintext of ['reject', 'redirect'])
    assert.equal(
      plaintextProblem({ plaintext, clientCa: '/ca.crt', clientAuth: 'require', allowCn: ['x'] }),
      undefined,
    );
});
