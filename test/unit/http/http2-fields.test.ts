// Raw lists in Node's shape: nothing that node:http2 would throw for, and nothing else lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { areFields, fieldsOf } from '../../../src/http/http2-fields.ts';

const rows: [name: string, raw: string[], fields: Record<string, unknown>][] = [
  ['names become lower case', ['X-A', '1'], { 'x-a': '1' }],
  ['same-named ones are a list', ['X-A', '1', 'x-a', '2', 'X-a', '3'], { 'x-a': ['1', '2', '3'] }],
  ['fields of a connection go', ['Connection', 'TE', 'Keep-Alive', 'x', 'Upgrade', 'y', 'Transfer-Encoding', 'z'], {}],
  ['te stays for trailers only', ['TE', 'trailers'], { te: 'trailers' }],
  ['te of other codings goes', ['TE', 'gzip'], {}],
  ['equal values of a single field are one', ['Date', 'a', 'date', 'a'], { date: 'a' }],
  ['others are joined', ['ETag', 'a', 'etag', 'b', 'etag', 'c'], { etag: 'a, b, c' }],
  ['cookies to set are a list', ['Set-Cookie', 'a', 'Set-Cookie', 'a'], { 'set-cookie': ['a', 'a'] }],
];
for (const [name, raw, fields] of rows) {
  test(name, () => assert.deepEqual({ ...fieldsOf(raw) }, fields));
}

test('no prototype: a field may have any name', () => {
  const fields = fieldsOf(['__proto__', 'x', 'constructor', 'y']);
  assert.equal(Object.getPrototypeOf(fields), null);
  assert.deepEqual(Object.entries(fields), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

test('what could not stand in HTTP/1.1 is seen', () => {
  assert.ok(areFields(['a', 'b', 'c', '']));
  for (const raw of [
    ['a b', 'c'],
    ['a', 'b\r\nc: d'],
    ['', 'x'],
    [':path', '/'],
    ['a', 'b\0'],
  ])
    assert.ok(!areFields(raw), raw.join());
});
