// Requests of one connection that repeat: the list of fields serves again where all of them are the same, and only there.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Field } from '../../../../src/http/hpack/field.ts';
import { isRefused, RequestFields } from '../../../../src/listener/http2/request.ts';

const LIMITS = { maxFields: 8, maxHeaderBytes: 8192 };
const PSEUDO = [':method', 'GET', ':scheme', 'https', ':authority', 'a.example'];

function listOf(requests: RequestFields, path: string, ...fields: string[]): readonly string[] | string {
  const flat = [...PSEUDO, ':path', path, ...fields];
  const list: Field[] = [];
  for (let i = 0; i < flat.length; i += 2) list.push(new Field(flat[i] as string, flat[i + 1] as string));
  const request = requests.read(list, false, true);
  return isRefused(request) ? request.reason : request.headers;
}

it('gives the same list for the same fields, whatever the path', () => {
  const requests = new RequestFields(LIMITS);
  const first = listOf(requests, '/a', 'accept', '*/*', 'cookie', 'a=1', 'cookie', 'b=2');
  assert.deepEqual(first, ['accept', '*/*', 'cookie', 'a=1; b=2']);
  assert.equal(listOf(requests, '/b', 'accept', '*/*', 'cookie', 'a=1', 'cookie', 'b=2'), first);
  assert.equal(listOf(requests, '/c', 'accept', '*/*', 'cookie', 'a=1', 'cookie', 'b=2'), first);
});

it('reads anew what differs in a name, a value, the order, or the number of fields', () => {
  const requests = new RequestFields(LIMITS);
  const lists = [
    ['accept', '*/*', 'x-a', '1'],
    ['accept', '*/*', 'x-a', '2'],
    ['accept', '*/*', 'x-b', '2'],
    ['x-b', '2', 'accept', '*/*'],
    ['x-b', '2', 'accept', '*/*', 'x-c', ''],
    ['x-b', '2'],
    [],
    ['cookie', 'a', 'cookie', 'b'],
    ['cookie', 'a; b'],
  ];
  const read = lists.map((list) => listOf(requests, '/', ...list));
  assert.deepEqual(read, [...lists.slice(0, 7), ['cookie', 'a; b'], ['cookie', 'a; b']]);
  assert.equal(new Set(read).size, lists.length);
});

it('refuses the same fields again', () => {
  const requests = new RequestFields(LIMITS);
  const many = Array.from({ length: 9 }, (_, i) => [`x-${i}`, 'v']).flat();
  for (let i = 0; i < 3; i++) {
    assert.equal(listOf(requests, '/', ...many), 'too_many_fields');
    assert.equal(listOf(requests, '/', 'x', '1', ':path', '/'), 'malformed_request');
    assert.equal(listOf(requests, '/', 'host', 'a', 'host', 'b'), 'malformed_request');
    assert.equal(listOf(requests, `/${'a'.repeat(8192)}`, 'accept', '*/*'), 'header_too_large');
    assert.deepEqual(listOf(requests, '/', 'accept', '*/*'), ['accept', '*/*']);
  }
});

it('keeps nothing of large fields', () => {
  const requests = new RequestFields(LIMITS);
  const value = 'v'.repeat(2048);
  const first = listOf(requests, '/', 'x', value);
  const second = listOf(requests, '/', 'x', value);
  assert.deepEqual(second, first);
  assert.notEqual(second, first);
});
