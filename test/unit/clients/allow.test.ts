// The allow rules: what a star matches, and what it never does; who passes, and when that is found out anew.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type AllowRules, createAdmission, isAllowed, matches } from '../../../src/clients/allow.ts';
import type { CertificateFacts } from '../../../src/clients/certificate.ts';

const NONE: AllowRules = { cn: [], ou: [], dns: [], uri: [] };

function certificate(changes: Partial<CertificateFacts> = {}): CertificateFacts {
  return { name: '', subject: '', sha256: '', commonNames: [], units: [], dns: [], uris: [], ...changes };
}

describe('a pattern', () => {
  const rows: readonly (readonly [pattern: string, value: string, fits: boolean])[] = [
    ['web', 'web', true],
    ['web', 'Web', false],
    ['web', 'web2', false],
    ['web', 'a.web', false],
    ['web', '', false],
    ['*', 'web', true],
    ['*', '', false],
    ['*', 'a.b', false],
    ['*', 'a/b', false],
    ['*', '.', false],
    ['*', '/', false],
    ['web-*', 'web-1', true],
    ['web-*', 'web-', false],
    ['web-*', 'web-1.b', false],
    ['web-*', 'web-1/b', false],
    ['*-web', 'a-web', true],
    ['*-web', '-web', false],
    ['w*b', 'web', true],
    ['w*b', 'wb', false],
    ['w*b', 'web2', false],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'abc', false],
    ['a*b*c', 'abbc', false],
    ['a*b*c', 'aXbbYc', true],
    ['*a*', 'bab', true],
    ['*a*', 'aba', false],
    ['*a*', 'aaa', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', false],
    ['a*a', 'aaa', true],
    ['*.example', 'a.example', true],
    ['*.example', '.example', false],
    ['*.example', 'a.b.example', false],
    ['*.example', 'example', false],
    ['*.example', 'a.example.', false],
    ['*.*.example', 'a.b.example', true],
    ['*.example', '*.example', true],
    ['a.example', '*.example', false],
    ['spiffe://td/ns/*/sa/web', 'spiffe://td/ns/a/sa/web', true],
    ['spiffe://td/ns/*/sa/web', 'spiffe://td/ns/a/b/sa/web', false],
    ['spiffe://td/ns/*/sa/web', 'spiffe://td/ns//sa/web', false],
    ['spiffe://td/ns/*/sa/web', 'spiffe://td/ns/a.b/sa/web', false],
    ['spiffe://td/ns/*/sa/web', 'spiffe://td/ns/a/sa/web/', false],
    ['spiffe://*/ns/a', 'spiffe://td/ns/a', true],
    ['spiffe://*/ns/a', 'spiffe://td.evil/ns/a', false],
    ['spiffe://td/*', 'spiffe://td/ns/a', false],
    ['spiffe://td/*', 'spiffe://td/ns', true],
    ['a+b(c)[d]^$|?', 'a+b(c)[d]^$|?', true],
    ['a.c', 'abc', false],
  ];
  for (const [pattern, value, fits] of rows)
    test(`${pattern} ${fits ? 'fits' : 'does not fit'} ${JSON.stringify(value)}`, () =>
      assert.equal(matches(pattern, value), fits));

  test('with many stars is decided at once, however long the name', () => {
    const pattern = `${'*a'.repeat(30)}b`;
    assert.equal(matches(pattern, 'a'.repeat(100_000)), false);
  });
});

describe('rules', () => {
  const who = certificate({
    commonNames: ['web', 'second'],
    units: ['front', 'back'],
    dns: ['Web.Example'],
    uris: ['spiffe://td/x'],
  });
  const rows: readonly (readonly [what: string, rules: Partial<AllowRules>, allowed: boolean])[] = [
    ['a common name', { cn: ['web'] }, true],
    ['any of several common names', { cn: ['second'] }, true],
    ['any of several units', { ou: ['back'] }, true],
    ['a DNS name in other letter case', { dns: ['web.eXample'] }, true],
    ['a URI', { uri: ['spiffe://td/*'] }, true],
    ['a URI in other letter case', { uri: ['SPIFFE://td/x'] }, false],
    ['any rule of a kind', { cn: ['nobody', 'web'] }, true],
    ['any kind', { cn: ['nobody'], uri: ['spiffe://td/x'] }, true],
    ['none of them', { cn: ['nobody'], ou: ['nobody'], dns: ['nobody'], uri: ['nobody'] }, false],
    ['a name of another kind', { cn: ['front'], ou: ['web'], dns: ['web'], uri: ['Web.Example'] }, false],
  ];
  for (const [what, rules, allowed] of rows)
    test(`${allowed ? 'admit' : 'do not admit'} by ${what}`, () =>
      assert.equal(isAllowed({ ...NONE, ...rules }, who), allowed));

  test('admit nobody who names nothing', () => {
    assert.equal(isAllowed({ cn: ['*'], ou: ['*'], dns: ['*'], uri: ['*'] }, certificate()), false);
  });
});

describe('the admission', () => {
  test('without a rule admits everybody', () => {
    const admission = createAdmission(NONE);
    assert.deepEqual([admission.restricted, admission.admits(certificate())], [false, true]);
  });

  test('keeps its answer for a certificate until the rules are others', () => {
    const admission = createAdmission({ ...NONE, cn: ['web'] });
    const web = certificate({ commonNames: ['web'] });
    assert.deepEqual(
      [admission.restricted, admission.admits(web), admission.admits(certificate())],
      [true, true, false],
    );
    assert.equal(admission.replace({ ...NONE, cn: ['web'] }), false);
    assert.equal(admission.admits(web), true);
    assert.equal(admission.replace({ ...NONE, cn: ['other'] }), true);
    assert.equal(admission.admits(web), false);
    assert.equal(admission.replace(NONE), true);
    assert.deepEqual([admission.restricted, admission.admits(web)], [false, true]);
  });
});
