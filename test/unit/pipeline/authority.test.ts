// The syntax of authorities, and the absolute form of a target.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isAuthority, originForm, portOf } from '../../../src/pipeline/authority.ts';

describe('an authority', () => {
  const good = [
    'a',
    'example.com',
    'EXAMPLE.com.',
    'a:1',
    'a:0',
    'a:65535',
    'a:00443',
    '127.0.0.1',
    '127.0.0.1:8080',
    '[::1]',
    '[::1]:443',
    '[2001:db8::192.0.2.1]:1',
    'my_host',
    'xn--bcher-kva.example',
    "a-._~!$&'()*+;=b",
    'a%20b',
    '%C3%BC.example:443',
    '1',
  ];
  for (const text of good) test(`is ${text}`, () => assert.equal(isAuthority(text), true));

  const bad = [
    '',
    ' ',
    ':',
    ':80',
    'a b',
    ' a',
    'a ',
    'a\t',
    'a,b',
    'a, b',
    'a/',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a@b',
    'user:pw@b',
    'a:',
    'a:b',
    'a:-1',
    'a:+1',
    'a:65536',
    'a:99999',
    'a:123456',
    'a:80:80',
    '::1',
    '::1:80',
    '[::1',
    '::1]',
    '[]',
    '[::1]x',
    '[::1]:',
    '[::1]:65536',
    '[::g]',
    '[a]b',
    '[::1%25eth0]',
    'a%',
    'a%2',
    'a%zz',
    'a"b',
    'a<b>',
    'a|b',
    'a^b',
    'a`b',
    'a{b}',
    '\u00fc',
    '\xfc',
    'a\0',
    'a\r\n',
    'http://a',
    `[${':'.repeat(46)}]`,
  ];
  for (const text of bad) {
    test(`is not ${JSON.stringify(text.slice(0, 20))}`, () => assert.equal(isAuthority(text), false));
  }

  test('takes no control character and nothing beyond ASCII, at any place', () => {
    for (let code = 0; code < 256; code++) {
      if (code > 0x20 && code < 0x7f) continue;
      for (const text of [
        `a${String.fromCharCode(code)}b`,
        `${String.fromCharCode(code)}b`,
        `a${String.fromCharCode(code)}`,
      ])
        assert.equal(isAuthority(text), false, JSON.stringify(text));
    }
  });

  test('is judged in time that grows with its length only', () => {
    const startedMs = performance.now();
    assert.equal(isAuthority(`${'%41'.repeat(100_000)}@`), false);
    assert.equal(isAuthority(`${'a.-'.repeat(100_000)}@`), false);
    assert.ok(performance.now() - startedMs < 2000);
  });
});

describe('the port of an authority', () => {
  for (const [authority, port] of [
    ['a', ''],
    ['a:1', '1'],
    ['127.0.0.1', ''],
    ['127.0.0.1:8443', '8443'],
    ['[::1]', ''],
    ['[::1]:8443', '8443'],
    ['', ''],
  ] as const) {
    test(`${authority} is "${port}"`, () => assert.equal(portOf(authority), port));
  }
});

describe('the origin form of an absolute target', () => {
  const rows: readonly (readonly [target: string, authority: string | undefined, path: string])[] = [
    ['http://a', 'a', '/'],
    ['http://a/', 'a', '/'],
    ['https://a/b/c?d=e', 'a', '/b/c?d=e'],
    ['HTTPS://A.Example:443/B', 'a.example:443', '/B'],
    ['http://a?b=/c', 'a', '/?b=/c'],
    ['http://a//b', 'a', '//b'],
    ['http://[::1]:80/x', '[::1]:80', '/x'],
    ['http://a/http://b/', 'a', '/http://b/'],
    ['http://a/b#c', 'a', ''],
    ['http://a#c', 'a', ''],
    ['http://u@a/', 'u@a', ''],
    ['http://u:p@a/', 'u:p@a', ''],
    ['http:///x', '', ''],
    ['http://', '', ''],
    ['http://?x', '', ''],
    ['http://a:/', 'a:', ''],
    ['http://a:99999/', 'a:99999', ''],
    ['http:/a/', undefined, ''],
    ['http:a', undefined, ''],
    ['ftp://a/', undefined, ''],
    ['ws://a/', undefined, ''],
    ['//a/', undefined, ''],
    ['a:443', undefined, ''],
    ['a', undefined, ''],
    ['', undefined, ''],
    [' http://a/', undefined, ''],
    ['javascript:alert(1)', undefined, ''],
  ];
  for (const [target, authority, path] of rows) {
    test(`of ${JSON.stringify(target)} is ${JSON.stringify([authority ?? null, path])}`, () => {
      assert.deepEqual(originForm(target, 'GET'), [authority, path]);
    });
  }
});
