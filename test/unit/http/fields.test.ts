// The classification of field names and the cutting of lists: every spelling of every special name, and nothing else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endToEnd, fieldValue, Kind, kindOf, listMembers } from '../../../src/http/fields.ts';

const KINDS: readonly (readonly [name: string, kind: Kind])[] = [
  ['host', Kind.host],
  ['content-length', Kind.contentLength],
  ['transfer-encoding', Kind.transferEncoding],
  ['connection', Kind.connection],
  ['keep-alive', Kind.hopByHop],
  ['proxy-connection', Kind.hopByHop],
  ['http2-settings', Kind.hopByHop],
  ['proxy-authenticate', Kind.hopByHop],
  ['proxy-authorization', Kind.hopByHop],
  ['te', Kind.te],
  ['trailer', Kind.trailer],
  ['upgrade', Kind.upgrade],
  ['expect', Kind.expect],
  ['forwarded', Kind.forwarding],
  ['x-request-id', Kind.requestId],
  ['x-real-ip', Kind.forwarding],
  ['x-forwarded-for', Kind.forwarding],
  ['x-forwarded-proto', Kind.forwarding],
  ['x-forwarded-host', Kind.forwarding],
  ['x-forwarded-port', Kind.forwarding],
  ['x-forwarded-prefix', Kind.forwarding],
  ['x-forwarded-server', Kind.forwarding],
  ['x-forwarded-client-cert', Kind.forwarding],
  ['x-forwarded-a-name-that-is-longer-than-any-that-is-known', Kind.forwarding],
];

const TWINS: readonly (readonly [name: string, kind: Kind])[] = [
  ['content_length', Kind.framingTwin],
  ['transfer_encoding', Kind.framingTwin],
  ['keep_alive', Kind.hopByHop],
  ['proxy_connection', Kind.hopByHop],
  ['http2_settings', Kind.hopByHop],
  ['proxy_authenticate', Kind.hopByHop],
  ['proxy_authorization', Kind.hopByHop],
  ['x_request_id', Kind.requestId],
  ['x-request_id', Kind.requestId],
  ['x_request-id', Kind.requestId],
  ['x_forwarded_for', Kind.forwarding],
  ['x-forwarded_for', Kind.forwarding],
  ['x_forwarded-for', Kind.forwarding],
  ['x_forwarded_client_cert', Kind.forwarding],
  ['x_real_ip', Kind.forwarding],
  ['x.real.ip', Kind.forwarding],
  ['x.forwarded.for', Kind.forwarding],
  ['x~forwarded!for', Kind.forwarding],
  ['content.length', Kind.framingTwin],
  ['transfer+encoding', Kind.framingTwin],
  ['x.request^id', Kind.requestId],
];

const PLAIN = [
  '',
  'a',
  'x',
  'hosts',
  'hos',
  'content-type',
  'content-lengthx',
  'xcontent-length',
  'content--length',
  'content__length',
  'transfer-encodings',
  'x-forwarded',
  'x-forwardedfor',
  'xx-forwarded-for',
  'y-forwarded-for',
  'x-request-ids',
  'x-requested-with',
  'x-real-ipx',
  'cookie',
  'set-cookie',
  'authorization',
  'accept',
  'user-agent',
  'sec-websocket-key',
  'te2',
  '__proto__',
  'constructor',
  'hasownproperty',
  'tostring',
  'x'.repeat(31),
  'x'.repeat(32),
  'a'.repeat(1000),
];

function spellings(name: string): string[] {
  return [
    name,
    name.toUpperCase(),
    name.replaceAll(/(^|[^a-z0-9])([a-z])/g, (all) => all.toUpperCase()),
    alternate(name),
  ];
}

function alternate(name: string): string {
  return [...name].map((char, i) => (i % 2 === 0 ? char.toUpperCase() : char)).join('');
}

describe('the kind of a field name', () => {
  for (const [name, kind] of [...KINDS, ...TWINS]) {
    test(`${name} has its kind in every letter case`, () => {
      for (const spelling of spellings(name)) assert.equal(kindOf(spelling), kind, spelling);
    });
  }

  test('every other name is plain, in every letter case', () => {
    for (const name of PLAIN)
      for (const spelling of spellings(name)) assert.equal(kindOf(spelling), Kind.plain, spelling);
  });

  test('a known name with any one byte changed is plain or another known name', () => {
    const known = new Set([...KINDS, ...TWINS].map(([name]) => name));
    for (const [name] of KINDS) {
      for (let at = 0; at < Math.min(name.length, 12); at++) {
        // What is neither a letter nor a digit may be folded to the `-` of a known name.
        for (const byte of 'abcdefghijklmnopqrstuvwxyz0123456789') {
          const changed = name.slice(0, at) + byte + name.slice(at + 1);
          if (!known.has(changed)) assert.equal(kindOf(changed), Kind.plain, changed);
        }
      }
    }
  });
});

describe('the value of a field', () => {
  const headers = ['Host', 'a', 'X-A', '1', 'x-a', '2', 'X-Empty', '', 'Value', 'x-a'];
  test('is that of the first field of the name, whatever its letter case', () => {
    assert.equal(fieldValue(headers, 'x-a'), '1');
    assert.equal(fieldValue(headers, 'host'), 'a');
    assert.equal(fieldValue(headers, 'x-empty'), '');
  });
  test('is undefined where there is no such field, or only a value that reads like the name', () => {
    assert.equal(fieldValue(['a', 'x-b', 'c', 'd'], 'x-b'), undefined);
    assert.equal(fieldValue([], 'host'), undefined);
  });
});

describe('the members of a list', () => {
  const rows: readonly (readonly [value: string, members: string[]])[] = [
    ['', []],
    [',', []],
    [' , ,, ', []],
    ['close', ['close']],
    ['Keep-Alive, X-A', ['keep-alive', 'x-a']],
    [' \tclose\t , te,', ['close', 'te']],
    ['a,a', ['a', 'a']],
    ['a b', ['a b']],
  ];
  for (const [value, members] of rows) {
    test(`of ${JSON.stringify(value)} are ${JSON.stringify(members)}`, () => {
      assert.deepEqual(listMembers(value), members);
    });
  }
});

describe('the fields that Connection names', () => {
  const rows: readonly (readonly [what: string, headers: string[], kept: string[]])[] = [
    ['no Connection', ['X-A', '1'], ['X-A', '1']],
    ['close alone', ['Connection', 'close', 'Close', '1'], ['Close', '1']],
    ['keep-alive alone', ['Connection', 'keep-alive', 'X-A', '1'], ['X-A', '1']],
    ['an empty one', ['Connection', '', 'X-A', '1'], ['X-A', '1']],
    ['an empty one and one that names (CVE-2021-33197)', ['Connection', '', 'Connection', 'X-A', 'x-a', '1'], []],
    ['one that names and an empty one', ['Connection', 'X-A', 'Connection', '', 'x-a', '1'], []],
    ['one that names and close', ['Connection', 'X-A', 'Connection', 'close', 'x-a', '1'], []],
    ['one behind the field that it names', ['x-a', '1', 'X-B', '2', 'CONNECTION', 'X-A'], ['X-B', '2']],
    [
      'two that name',
      ['connection', 'close, X-A', 'X-B', '2', 'Connection', ' ,x-b', 'X-a', '1', 'X-C', '3'],
      ['X-C', '3'],
    ],
    ['a value that reads Connection', ['X-A', 'Connection', 'Host', 'x-a'], ['X-A', 'Connection', 'Host', 'x-a']],
    ['a name with a tab around it', ['Connection', '\tX-A\t', 'X-A', '1'], []],
    ['a name that begins as another', ['Connection', 'x-', 'X-A', '1'], ['X-A', '1']],
  ];
  for (const [what, headers, kept] of rows) {
    test(`are gone, and no others: ${what}`, () => assert.deepEqual(endToEnd(headers, false, new Set()), kept));
  }
});

describe('the end-to-end fields', () => {
  const none: ReadonlySet<Kind> = new Set();

  test('keep their order, letter case, repetition and bytes', () => {
    const headers = ['X-b', '1', 'Accept', '*/*', 'X-B', '\xe9 ', 'Cookie', 'a=b', 'Cookie', 'c=d', '__proto__', 'x'];
    assert.deepEqual(endToEnd(headers, false, none), headers);
  });

  test('hold no hop-by-hop field in any spelling, with or without Connection', () => {
    const hops = ['connection', 'keep-alive', 'proxy-connection', 'http2-settings', 'proxy-authenticate'];
    const more = [
      'proxy-authorization',
      'transfer-encoding',
      'te',
      'trailer',
      'upgrade',
      'keep_alive',
      'proxy_connection',
    ];
    for (const name of [...hops, ...more]) {
      for (const spelling of spellings(name)) {
        assert.deepEqual(endToEnd(['A', '1', spelling, 'v', 'B', '2'], false, none), ['A', '1', 'B', '2'], spelling);
      }
    }
  });

  test('hold Trailer where trailers can follow, but not where Connection names it', () => {
    assert.deepEqual(endToEnd(['Trailer', 'X'], true, none), ['Trailer', 'X']);
    assert.deepEqual(endToEnd(['Trailer', 'X'], false, none), []);
    assert.deepEqual(endToEnd(['Trailer', 'X', 'Connection', 'trailer'], true, none), []);
  });

  test('are found by lookup: 15 KB of names are not searched again for each of 250 fields', () => {
    const names = Array.from({ length: 2000 }, (_, at) => `x-${1000 + at}`).join(', ');
    const fields = Array.from({ length: 250 }, (_, at) => [`Y-${at}`, '1']).flat();
    const headers = ['Connection', names, ...fields];
    let kept: string[] = [];
    const touched = charactersTouched(() => {
      kept = endToEnd(headers, false, none);
    });
    assert.deepEqual(kept, fields);
    assert.ok(names.length > 15_000);
    assert.ok(touched > names.length && touched < 4 * headers.join('').length, `${touched}`);
  });

  test('hold no field that any Connection field names, wherever it stands', () => {
    const headers = [
      'X-A',
      '1',
      'Connection',
      'x-a, keep-alive',
      'x-A',
      '2',
      'X-B',
      '3',
      'Connection',
      'X-b',
      'X-C',
      '4',
    ];
    assert.deepEqual(endToEnd(headers, false, none), ['X-C', '4']);
  });

  test('hold no kind that is to be dropped besides', () => {
    const headers = [
      'Host',
      'a',
      'X-Forwarded-For',
      '1',
      'Forwarded',
      'for=1',
      'X_Request_Id',
      'i',
      'Expect',
      '100-continue',
    ];
    assert.deepEqual(endToEnd(headers, false, new Set([Kind.forwarding, Kind.requestId, Kind.expect])), ['Host', 'a']);
    assert.deepEqual(endToEnd(headers, false, none), headers);
  });

  test('are a copy: the list that was given stays as it was', () => {
    const headers = Object.freeze(['Connection', 'close', 'A', '1']) as string[];
    assert.deepEqual(endToEnd(headers, false, none), ['A', '1']);
    assert.notEqual(endToEnd(['A', '1'], false, none), headers);
  });
});

/** Characters and members that lie before what searches, folds or looks up while `run` runs. */
function charactersTouched(run: () => void): number {
  let touched = 0;
  const restore: (() => void)[] = [];
  const count = (object: object, name: string, size: (self: { length: number }) => number): void => {
    const original = Reflect.get(object, name) as (...args: unknown[]) => unknown;
    Reflect.set(object, name, function (this: { length: number }, ...args: unknown[]) {
      touched += size(this);
      return original.apply(this, args);
    });
    restore.push(() => Reflect.set(object, name, original));
  };
  for (const name of ['includes', 'indexOf', 'some', 'find']) count(Array.prototype, name, (list) => list.length);
  for (const name of ['includes', 'indexOf', 'split', 'toLowerCase', 'search'])
    count(String.prototype, name, (text) => text.length);
  count(Set.prototype, 'has', () => 1);
  try {
    run();
  } finally {
    for (const back of restore) back();
  }
  return touched;
}
