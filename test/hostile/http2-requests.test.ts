// What HTTP/2 requests may not carry into HTTP/1.1. The oracle is the bytes that the recording app received: a request is
// passed on as the row says, whole, or not a byte of it reaches the app, and the client is told by a status or a reset.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { data, type Field, Flag, frame, headerBlock, headers, literal, Type } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { createRecorder, type Recorder, response } from '../support/recorder.ts';
import { cutRequest } from '../support/requests.ts';
import { type Lane, openLane } from '../support/stage.ts';

/** `refused`: a status that is given here, or a reset, or the end of the session; never a byte at the app. */
type Expected = {
  readonly refused?: readonly number[] | 'reset';
  /** Of what reaches the app, where a request is passed on. */
  readonly app?: RegExp;
  readonly not?: RegExp;
};
type Row = readonly [name: string, fields: readonly Field[], expected: Expected, body?: string];

const REFUSED: Expected = { refused: [400] };
/** For what Node or nghttp2 judges before us on one release and we on another. */
const RESET: Expected = { refused: 'reset' };
/** nghttp2 drops some fields before Node sees them (its releases differ in which): the request may come without them. */
const lost = (not: RegExp): Expected => ({ refused: [400], app: /^GET \/ HTTP\/1\.1\r\nHost: app\.test\r\n/, not });
const refusedWith = (...statuses: number[]): Expected => ({ refused: statuses });
const passed = (app: RegExp, not?: RegExp): Expected => (not === undefined ? { app } : { app, not });
const get = (changes: Record<string, string | undefined> = {}): Field[] => fieldsOf(changes);
const plus = (...fields: Field[]): Field[] => [...get(), ...fields];

const PSEUDO: readonly Row[] = [
  ['no :method', get({ ':method': undefined }), RESET],
  ['no :path', get({ ':path': undefined }), RESET],
  ['no :scheme', get({ ':scheme': undefined }), RESET],
  ['no :authority and no host', get({ ':authority': undefined }), REFUSED],
  ['host alone', [...get({ ':authority': undefined }), ['host', 'alone.test']], passed(/\r\nHost: alone\.test\r\n/i)],
  ['two :method', [[':method', 'POST'], ...get()], RESET],
  ['two :path', [[':path', '/a'], ...get()], RESET],
  ['two :scheme', [[':scheme', 'https'], ...get()], RESET],
  ['two :authority', [[':authority', 'a.test'], ...get()], RESET],
  ['an unknown pseudo field', [[':protocl', 'x'], ...get()], RESET],
  ['a :status', [[':status', '200'], ...get()], RESET],
  [':protocol without CONNECT', [[':protocol', 'websocket'], ...get()], RESET],
  ['a pseudo field after a field', [['x-a', '1'], ...get()], RESET],
  ['a pseudo field of no name', [[':', 'x'], ...get()], RESET],
  [
    'host that says the same',
    plus(['host', 'app.test']),
    passed(/^GET \/ HTTP\/1\.1\r\nHost: app\.test\r\n(?!.*\r\nhost:)/is),
  ],
  ['host beside another :authority', plus(['host', 'evil.test']), REFUSED],
  ['two hosts', plus(['host', 'app.test'], ['host', 'evil.test']), REFUSED],
  ['two equal hosts', plus(['host', 'app.test'], ['host', 'app.test']), REFUSED],
  [
    'two hosts without :authority',
    [...get({ ':authority': undefined }), ['host', 'a.test'], ['host', 'b.test']],
    REFUSED,
  ],
  ['an empty :authority', get({ ':authority': '' }), REFUSED],
  ['an empty :authority beside a host', [...get({ ':authority': '' }), ['host', 'a.test']], REFUSED],
  ['user info in :authority', get({ ':authority': 'user@app.test' }), REFUSED],
  ['user and password in :authority', get({ ':authority': 'app.test:443@evil.test' }), REFUSED],
  ['a path in :authority', get({ ':authority': 'app.test/x' }), REFUSED],
  ['a space in :authority', get({ ':authority': 'app.test x' }), REFUSED],
  ['a comma in :authority', get({ ':authority': 'app.test, evil.test' }), REFUSED],
  ['a CRLF in :authority', get({ ':authority': 'app.test\r\nX: y' }), REFUSED],
  ['a port out of range in :authority', get({ ':authority': 'app.test:65536' }), REFUSED],
  ['user info in host', [...get({ ':authority': undefined }), ['host', 'user@app.test']], REFUSED],
  [':scheme http', get({ ':scheme': 'http' }), REFUSED],
  [':scheme HTTPS', get({ ':scheme': 'HTTPS' }), REFUSED],
  [':scheme ftp', get({ ':scheme': 'ftp' }), REFUSED],
  ['an empty :scheme', get({ ':scheme': '' }), REFUSED],
  [':scheme with a request line in it', get({ ':scheme': 'https://evil.test/x HTTP/1.1\r\nx: y' }), REFUSED],
  ['an empty :path', get({ ':path': '' }), REFUSED],
  ['a :path with a fragment', get({ ':path': '/a#b' }), REFUSED],
  ['a :path with a space', get({ ':path': '/a b' }), REFUSED],
  ['a :path that is a request line', get({ ':path': '/ HTTP/1.1\r\nX: y\r\n\r\nGET /smuggled' }), REFUSED],
  ['a :path with a tab', get({ ':path': '/a\tb' }), REFUSED],
  ['a :path with a NUL', get({ ':path': '/a\0b' }), REFUSED],
  ['a :path with a LF', get({ ':path': '/a\nb' }), REFUSED],
  ['a :path with DEL', get({ ':path': '/a\x7fb' }), REFUSED],
  ['a :path with a byte above 0x7f', get({ ':path': '/\xe4' }), REFUSED],
  ['a :path in UTF-8', get({ ':path': '/\xc3\xa4' }), REFUSED],
  ['a :path without a slash', get({ ':path': 'a' }), REFUSED],
  ['* with GET', get({ ':path': '*' }), REFUSED],
  ['* with OPTIONS', get({ ':method': 'OPTIONS', ':path': '*' }), passed(/^OPTIONS \* HTTP\/1\.1\r\n/)],
  ['an absolute :path', get({ ':path': 'https://evil.test/x' }), REFUSED],
  ['an absolute :path of our own', get({ ':path': 'https://app.test/x' }), REFUSED],
  [
    'a path of two slashes',
    get({ ':path': '//evil.test/x' }),
    passed(/^GET \/\/evil\.test\/x HTTP\/1\.1\r\nHost: app\.test\r\n/),
  ],
  [
    'a query of all that is visible',
    get({ ':path': '/a?b=c&d="<>\\^`{|}' }),
    passed(/^GET \/a\?b=c&d="<>\\\^`\{\|\} HTTP\/1\.1\r\n/),
  ],
  ['a method in lower case', get({ ':method': 'get' }), refusedWith(501)],
  ['a method with a space', get({ ':method': 'GET /x HTTP/1.1\r\nX: y\r\n\r\nGET' }), REFUSED],
  ['a method that is no token', get({ ':method': 'GE(T' }), REFUSED],
  ['an empty method', get({ ':method': '' }), REFUSED],
  ['a method of its own', get({ ':method': 'BREW' }), passed(/^BREW \/ HTTP\/1\.1\r\n/)],
  [
    'CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'evil.test:80'],
    ],
    refusedWith(501),
  ],
  ['CONNECT without an authority', [[':method', 'CONNECT']], RESET],
  [
    'CONNECT with an authority that is not visible ASCII',
    [
      [':method', 'CONNECT'],
      [':authority', 'evil.test:80 \r\nX: y'],
    ],
    REFUSED,
  ],
  ['CONNECT with a path', get({ ':method': 'CONNECT' }), refusedWith(400, 501)],
  ['CONNECT with a path and a body', get({ ':method': 'CONNECT' }), refusedWith(400, 501), 'GET / HTTP/1.1\r\n\r\n'],
  ['connect', get({ ':method': 'connect' }), refusedWith(400, 501)],
  ['TRACE', get({ ':method': 'TRACE' }), refusedWith(501)],
];

const FIELDS: readonly Row[] = [
  ['connection', plus(['connection', 'close']), REFUSED],
  ['keep-alive', plus(['keep-alive', 'timeout=5']), REFUSED],
  ['proxy-connection', plus(['proxy-connection', 'keep-alive']), REFUSED],
  ['transfer-encoding', plus(['transfer-encoding', 'chunked']), REFUSED],
  [
    'transfer-encoding with a body',
    get({ ':method': 'POST', 'transfer-encoding': 'chunked' }),
    REFUSED,
    '0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
  ],
  [
    'transfer-encoding beside content-length',
    get({ ':method': 'POST', 'transfer-encoding': 'chunked', 'content-length': '3' }),
    REFUSED,
    'abc',
  ],
  ['upgrade', plus(['upgrade', 'websocket']), REFUSED],
  ['upgrade and connection', plus(['connection', 'upgrade'], ['upgrade', 'websocket']), REFUSED],
  ['http2-settings', plus(['http2-settings', 'AAMAAABk']), passed(/^GET/, /http2-settings/i)],
  ['te: trailers', plus(['te', 'trailers']), passed(/\r\nTE: trailers\r\n/i)],
  ['te: gzip', plus(['te', 'gzip']), REFUSED],
  ['te: trailers, gzip', plus(['te', 'trailers, gzip']), REFUSED],
  ['te: chunked', plus(['te', 'chunked']), REFUSED],
  ['a name in upper case', plus(['X-Upper', '1']), RESET],
  ['a name in mixed case', plus(['x-Up', '1']), RESET],
  ['Transfer-Encoding in upper case', plus(['Transfer-Encoding', 'chunked']), RESET],
  ['an empty name', plus(['', 'x']), lost(/\r\n:|: x\r\n/)],
  ['a name with a colon', plus(['x:y', '1']), lost(/x:y/)],
  ['a name with a colon and a space', plus(['x: y', '1']), lost(/x: y/)],
  ['a name that ends with a space', plus(['content-length ', '3']), lost(/content-length/i)],
  ['a name that begins with a space', plus([' x', '3']), lost(/\r\n x/)],
  ['a name that holds a whole field', plus(['x: y\r\ntransfer-encoding', 'chunked']), lost(/chunked/)],
  ['a name with a NUL', plus(['x\0y', '1']), lost(/\0/)],
  ['a name with a byte above 0x7f', plus(['x\xe4', '1']), lost(/\xe4/)],
  ['CRLF in a value', plus(['x-a', 'b\r\ntransfer-encoding: chunked']), lost(/chunked/)],
  ['CRLF CRLF and a request in a value', plus(['x-a', 'b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x']), lost(/smuggled/)],
  ['a LF in a value', plus(['x-a', 'b\nx: y']), lost(/x: y/)],
  ['a CR in a value', plus(['x-a', 'b\rx: y']), lost(/x: y/)],
  ['a NUL in a value', plus(['x-a', 'b\0c']), lost(/x-a/)],
  ['a control in a value', plus(['x-a', 'b\x01c']), lost(/x-a/)],
  ['a DEL in a value', plus(['x-a', 'b\x7fc']), lost(/x-a/)],
  ['a CRLF in a cookie crumb', plus(['cookie', 'a=1'], ['cookie', 'b=2\r\nx: y']), lost(/x: y/)],
  ['a byte above 0x7f in a value', plus(['x-a', '\xe4']), passed(/\r\nx-a: \xe4\r\n/)],
  ['a value that begins with a space', plus(['x-a', ' b']), lost(/x-a: {2}b/)],
  ['a value that ends with a tab', plus(['x-a', 'b\t']), lost(/b\t/)],
  ['an empty value', plus(['x-a', '']), passed(/\r\nx-a: ?\r\n/)],
  ['content_length', plus(['content_length', '5']), REFUSED],
  ['transfer_encoding', plus(['transfer_encoding', 'chunked']), REFUSED],
  ['x_forwarded_for', plus(['x_forwarded_for', '6.6.6.6']), passed(/^GET/, /6\.6\.6\.6/)],
  [
    'x-forwarded-* of a client',
    plus(['x-forwarded-for', '6.6.6.6'], ['x-forwarded-proto', 'http'], ['forwarded', 'for=6.6.6.6']),
    passed(/\r\nX-Forwarded-Proto: https\r\n/, /6\.6\.6\.6|Proto: http\r|Forwarded: for/),
  ],
  ['x-forwarded-client-cert of a client', plus(['x-forwarded-client-cert', 'Hash=6666']), passed(/^GET/, /Hash=6666/)],
  [
    '__proto__ as a name',
    plus(['__proto__', 'x'], ['constructor', 'y']),
    passed(/\r\n__proto__: x\r\nconstructor: y\r\n/),
  ],
  [
    'cookie crumbs',
    plus(['cookie', 'a=1'], ['x-a', '1'], ['cookie', 'b=2'], ['cookie', 'c=3']),
    passed(/\r\ncookie: a=1; b=2; c=3\r\n/, /cookie:[\s\S]*cookie:/),
  ],
  ['fields of the same name', plus(['x-a', '1'], ['x-a', '2']), passed(/\r\nx-a: 1\r\nx-a: 2\r\n/)],
  [
    '200 cookie crumbs',
    plus(...Array.from({ length: 200 }, (_, at): Field => ['cookie', `c${at}=1`])),
    passed(/\r\ncookie: c0=1; .*c199=1\r\n/),
  ],
  ['256 fields', plus(...many(256)), passed(/\r\nx-255: 1\r\n/)],
  ['300 fields', plus(...many(300)), refusedWith(431)],
  ['900 fields', plus(...many(900)), refusedWith(431)],
  ['3,000 cookie crumbs', plus(...Array.from({ length: 3000 }, (): Field => ['cookie', 'a'])), refusedWith(431)],
  ['a list of fields above 16 KiB', plus(['x-a', 'a'.repeat(9000)], ['x-b', 'b'.repeat(9000)]), refusedWith(431)],
  ['a value above 16 KiB', plus(['x-a', 'a'.repeat(16_100)], ['x-b', 'b'.repeat(500)]), refusedWith(431)],
  ['two expectations', plus(['expect', '100-continue'], ['expect', 'x']), refusedWith(417, 400)],
  ['an unknown expectation', plus(['expect', 'x']), refusedWith(417)],
];

const post = (changes: Record<string, string> = {}): Field[] => get({ ':method': 'POST', ...changes });

const FRAMING: readonly Row[] = [
  [
    'a length that is right',
    post({ 'content-length': '5' }),
    passed(/\r\ncontent-length: 5\r\n[\s\S]*\r\n\r\nhello$/),
    'hello',
  ],
  [
    'a body without a length',
    post(),
    passed(/\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/),
    'hello',
  ],
  [
    'DELETE with a body without a length',
    get({ ':method': 'DELETE' }),
    passed(/^DELETE [\s\S]*\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/),
    'hello',
  ],
  [
    'GET with a body without a length',
    get(),
    passed(/^GET [\s\S]*\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/),
    'hello',
  ],
  [
    'HEAD with a body that is a request',
    get({ ':method': 'HEAD' }),
    passed(/^HEAD [\s\S]*\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\nGET \/smuggled/),
    'GET /smuggled HTTP/1.1\r\nHost: x',
  ],
  ['POST without a body', post(), passed(/^POST /, /transfer-encoding/i)],
  ['a length of 0 without a body', post({ 'content-length': '0' }), passed(/\r\ncontent-length: 0\r\n/)],
  [
    'a length of 0 and an empty DATA',
    post({ 'content-length': '0' }),
    passed(/\r\ncontent-length: 0\r\n/, /chunked/i),
    '',
  ],
  ['a length and END_STREAM on the head', post({ 'content-length': '5' }), REFUSED],
  ['a length and an empty DATA', post({ 'content-length': '5' }), RESET, ''],
  ['two lengths', [...post(), ['content-length', '5'], ['content-length', '5']], REFUSED, 'hello'],
  ['two other lengths', [...post(), ['content-length', '5'], ['content-length', '3']], REFUSED, 'hello'],
  ['a list of lengths', post({ 'content-length': '5, 5' }), REFUSED, 'hello'],
  ['a length with a sign', post({ 'content-length': '+5' }), REFUSED, 'hello'],
  ['a negative length', post({ 'content-length': '-5' }), REFUSED, 'hello'],
  ['a hexadecimal length', post({ 'content-length': '0x5' }), REFUSED, 'hello'],
  ['a length in words', post({ 'content-length': 'five' }), REFUSED, 'hello'],
  ['an empty length', post({ 'content-length': '' }), REFUSED, 'hello'],
  ['a length above 2^53', post({ 'content-length': '99999999999999999999' }), REFUSED, 'hello'],
  [
    'a body that is a request',
    post(),
    passed(/\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\nGET \/smuggled/),
    'GET /smuggled HTTP/1.1\r\nHost: x',
  ],
  ['a body that is the end of chunks', post(), passed(/\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n$/), '0\r\n\r\n'],
];

let app: Recorder;
let lane: Lane;
let client: H2Client;
let watcher: H2Client;
let canaries = 0;

before(async () => {
  // Answers what has come whole; what is owed stays open.
  app = await createRecorder((connection) => serve(connection));
  lane = await openLane({ forwarder: 'wire', upstream: app.port });
  client = await connectH2({ port: lane.sidecar.port });
  watcher = await connectH2({ port: lane.sidecar.port });
});

after(async () => {
  client.destroy();
  watcher.destroy();
  await lane.close();
  await app.close();
  assert.deepEqual(lane.defects, []);
});

afterEach(() => {
  assert.ok(!app.requests.some((text) => text.startsWith('GET /smuggled')), 'a request that nobody made');
});

for (const [title, rows] of [
  ['pseudo fields', PSEUDO],
  ['fields', FIELDS],
  ['framing', FRAMING],
] as const) {
  describe(title, () => {
    for (const row of rows) test(row[0], () => play(row));
  });
}

describe('lengths that lie', () => {
  const LIES: readonly (readonly [name: string, length: number, ...body: Buffer[]])[] = [
    ['fewer bytes than the length', 40, data(0, 'short', true)],
    ['more bytes than the length', 3, data(0, 'much longer', true)],
    ['more bytes in a second frame', 3, data(0, 'abc'), data(0, 'GET /smuggled HTTP/1.1\r\n\r\n', true)],
    ['fewer bytes, ended by trailers', 40, data(0, 'short'), headers(0, [['x-t', '1']])],
    ['a reset before the end', 40, data(0, 'short'), frame(Type.rstStream, 0, 0, '\0\0\0\x08')],
    ['a reset without an error before the end', 40, data(0, 'short'), frame(Type.rstStream, 0, 0, '\0\0\0\0')],
  ];
  for (const [name, length, ...frames] of LIES) {
    for (const early of [false, true]) {
      test(`${name}${early ? ', answered before its end' : ''}: a reset, and the connection to the app is never used again`, () =>
        lie(length, frames, early));
    }
  }
});

describe('trailers of a request', () => {
  const TRAILERS: readonly (readonly [name: string, fields: readonly Field[], app: RegExp | 'refused' | 'harmless'])[] =
    [
      ['plain ones reach the app', [['x-t', '1']], /\r\n0\r\nx-t: 1\r\n\r\n$/],
      ['with a pseudo field', [[':path', '/x']], 'refused'],
      ['with a CRLF', [['x-t', '1\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n']], 'harmless'],
      ['with a name of more than one line', [['x: y\r\nx-t', '1']], 'harmless'],
      ['with an upper-case name', [['X-T', '1']], 'refused'],
      [
        'with framing in them',
        [
          ['content-length', '5'],
          ['transfer-encoding', 'chunked'],
        ],
        'refused',
      ],
    ];
  for (const [name, fields, wanted] of TRAILERS) {
    test(name, async () => {
      await fresh();
      const mark = app.requests.length;
      const id = client.nextId();
      client.send(headers(id, post({ ':path': '/trailers', te: 'trailers' }), false), data(id, 'hello'));
      await atApp((text) => text.includes('hello'));
      client.send(headers(id, fields));
      const stream = await client.over(id);
      await canary();
      const whole = app.requests.slice(mark).find((text) => text.includes('/trailers'));
      if (wanted === 'harmless' && client.status(id) === 200) {
        assert.match(whole ?? '', /\r\n0\r\n\r\n$/, 'nghttp2 has dropped it');
      } else if (wanted === 'refused' || wanted === 'harmless') {
        assert.ok(stream.reset !== undefined || client.goaway !== undefined || client.status(id) === 400, 'refused');
        assert.equal(whole, undefined, 'the request was never ended at the app');
      } else {
        assert.equal(client.status(id), 200);
        assert.match(whole ?? '', wanted);
      }
    });
  }
});

test('trailers without END_STREAM are refused', async () => {
  await fresh();
  const id = client.nextId();
  client.send(headers(id, post(), false), data(id, 'hello'), headers(id, [['x-t', '1']], false));
  const stream = await client.over(id);
  assert.ok(stream.reset !== undefined || client.goaway !== undefined);
});

test('a field list of nothing but a change of the table size is no request', async () => {
  await fresh();
  client.send(frame(Type.headers, Flag.endHeaders | Flag.endStream, client.nextId(), Buffer.from([0x20])));
  await eventually(() => client.goaway !== undefined || client.stream(1).reset !== undefined || client.ended, {
    what: 'a refusal',
  });
});

test('an HPACK block that cannot be read ends the session, and the process goes on', async () => {
  for (const block of [
    '\x80',
    '\xff\xff\xff\xff\xff\xff',
    '\x40\x7f',
    '\xbf',
    '\x00\x85\xff\xff\xff\xff\xff\x00',
    '',
  ]) {
    await fresh();
    client.send(frame(Type.headers, Flag.endHeaders | Flag.endStream, client.nextId(), block));
    await eventually(() => client.goaway !== undefined || client.stream(1).reset !== undefined || client.ended, {
      what: `a refusal of ${JSON.stringify(block)}`,
    });
  }
  await canary();
});

test('a never-indexed and a dynamically indexed field reach the app alike', async () => {
  await fresh();
  const mark = app.requests.length;
  for (let round = 0; round < 2; round++) {
    const id = client.nextId();
    const secret = round === 0 ? literal('x-kept', 'value', 'indexed') : Buffer.from([0x80 | 62]);
    const block = Buffer.concat([headerBlock(get({ ':path': '/indexed' })), secret]);
    client.send(frame(Type.headers, Flag.endHeaders | Flag.endStream, id, block));
    await client.over(id);
  }
  const got = app.requests.slice(mark);
  assert.equal(got.length, 2);
  for (const text of got) assert.match(text, /\r\nx-kept: value\r\n/);
});

test('the access log has a line for each refusal, with our word for it', async () => {
  await fresh();
  const id = client.request(get({ ':path': '/logged#x' }));
  await client.over(id);
  assert.equal(client.status(id), 400);
  await lane.sidecar.waitForLog(
    (line) => line.msg === 'request' && line.path === '/logged#x' && line.reason === 'bad_target',
  );
});

// ---- how a row is played

async function play([, fields, expected, body]: Row): Promise<void> {
  await fresh();
  const mark = app.requests.length;
  const bytesBefore = totals();
  const id = client.nextId();
  client.send(...inFrames(id, fields, body));
  const stream = await client.over(id);
  const told = `status ${client.status(id)}, reset ${stream.reset}, goaway ${client.goaway}`;
  const status = client.status(id);
  if (expected.app !== undefined && (status === 200 || expected.refused === undefined)) {
    assert.equal(status, 200, told);
    const [request = ''] = app.requests.slice(mark);
    assert.match(request, expected.app);
    if (expected.not !== undefined) assert.doesNotMatch(request, expected.not);
    assert.equal(app.requests.length, mark + 1);
    return;
  }
  const wasReset = stream.reset !== undefined || client.goaway !== undefined || client.ended;
  if (status === undefined) assert.ok(wasReset, told);
  else if (expected.refused === 'reset') assert.equal(status, 400, told);
  else assert.ok(expected.refused?.includes(status), told);
  const sent = await canary();
  if (expected.refused === 'reset' && body !== undefined) return; // its head was in order, and may have been passed on
  assert.equal(
    totals() - bytesBefore,
    sent,
    `only the canary reached the app, not ${JSON.stringify(app.requests.slice(mark))}`,
  );
}

async function lie(length: number, frames: readonly Buffer[], early: boolean): Promise<void> {
  await fresh();
  const id = client.nextId();
  const path = `/${early ? 'early' : 'lie'}-${id}-${++canaries}`;
  client.send(headers(id, post({ 'content-length': String(length), ':path': path }), false));
  const connection = await atApp((text) => text.includes(path));
  if (early)
    await client.until(() => client.status(id) === 200 || client.stream(id).reset !== undefined, 'the early answer');
  const had = connection.received.length;
  client.send(...frames.map((bytes) => onStream(bytes, id)));
  await connection.waitForClose();
  const rest = connection.received.subarray(had);
  assert.ok(rest.length <= length, `the app got ${rest.length} bytes of ${length}`);
  const ours = frames.some((bytes) => bytes[3] === Type.rstStream) || early;
  if (!ours) {
    const stream = await client.over(id);
    assert.ok(
      stream.reset !== undefined || client.goaway !== undefined || client.status(id) === 400,
      'the client is told',
    );
  }
  await canary();
  assert.equal(connection.received.length, had + rest.length, 'nothing more came to that connection');
}

async function serve(connection: Recorder['connections'][number]): Promise<void> {
  let at = 0;
  let answered = -1;
  for (;;) {
    const next = cutRequest(connection.received, at);
    if (next.kind === 'complete') {
      const text = next.request.bytes.toString('latin1');
      app.requests.push(text);
      if (answered !== at) connection.write(response('ok'));
      at = next.request.end;
      continue;
    }
    if (answered !== at && /^POST \/early/.test(connection.received.toString('latin1', at))) {
      answered = at;
      connection.write(response('early'));
    }
    if (connection.ended) return;
    const had = connection.received.length;
    await connection.waitFor((got) => got.length > had || connection.ended, Number.POSITIVE_INFINITY);
  }
}

/** A session that is in order for the next row. */
async function fresh(): Promise<void> {
  if (client.goaway === undefined && !client.ended) client.destroy();
  client = await connectH2({ port: lane.sidecar.port });
}

/** One request on another session; resolves with the number of bytes that it put on the app's connections. */
async function canary(): Promise<number> {
  const mark = app.requests.length;
  const path = `/canary-${++canaries}`;
  const id = watcher.request(get({ ':path': path }));
  await watcher.over(id);
  assert.equal(watcher.status(id), 200, 'the next client is served');
  const text = app.requests.slice(mark).find((request) => request.startsWith(`GET ${path} `));
  assert.ok(text !== undefined, 'the canary came whole, at the beginning of a request');
  return text.length;
}

function totals(): number {
  return app.connections.reduce((sum, { received }) => sum + received.length, 0);
}

function atApp(holds: (text: string) => boolean): Promise<Recorder['connections'][number]> {
  return eventually(() => app.connections.find(({ received }) => holds(received.toString('latin1'))), {
    what: 'the bytes at the app',
    everyMs: 5,
  });
}

function inFrames(id: number, fields: readonly Field[], body: string | undefined): Buffer[] {
  const block = headerBlock(fields);
  const end = body === undefined ? Flag.endStream : 0;
  const frames = [
    frame(Type.headers, end | (block.length <= 16_384 ? Flag.endHeaders : 0), id, block.subarray(0, 16_384)),
  ];
  for (let at = 16_384; at < block.length; at += 16_384) {
    const last = at + 16_384 >= block.length;
    frames.push(frame(Type.continuation, last ? Flag.endHeaders : 0, id, block.subarray(at, at + 16_384)));
  }
  if (body !== undefined) frames.push(data(id, body, true));
  return frames;
}

function onStream(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32BE(id, 5);
  return copy;
}

function many(count: number): Field[] {
  return Array.from({ length: count }, (_, at): Field => [`x-${at}`, '1']);
}
