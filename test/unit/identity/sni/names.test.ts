// The names that a certificate stands for, and the wildcard that may stand for a name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonical, namesOf, wildcardOf } from '../../../../src/identity/sni/names.ts';

test('names are the DNS names, in lower case and without the dot at the end', () => {
  const names = 'DNS:A.example, IP Address:127.0.0.1, DNS:*.B.example, URI:spiffe://c.example/x, DNS:d.example.';
  assert.deepEqual(namesOf({ names, subject: 'CN=other' }), ['a.example', '*.b.example', 'd.example']);
});

test('a name that is quoted is none', () => {
  assert.deepEqual(namesOf({ names: 'DNS:"a.example, DNS:b.example", DNS:c.example', subject: '' }), ['c.example']);
});

test('without a DNS name the common name counts', () => {
  assert.deepEqual(namesOf({ names: 'IP Address:127.0.0.1', subject: 'O=x, CN=Web.example' }), ['web.example']);
  assert.deepEqual(namesOf({ names: '', subject: 'O=x' }), []);
});

test('a wildcard stands for one label', () => {
  assert.deepEqual(['a.b.c', 'b', '.b', ''].map(wildcardOf), ['*.b.c', '', '', '']);
  assert.equal(canonical('A.B.'), 'a.b');
});
