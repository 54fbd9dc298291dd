// Exchanges in which the app's answer is what matters, and is in order: framing, fields, interim answers, upgrades.

import { answer, CRLF, chunked, type ExchangeRow, inPieces, lines, OK, request, thenEnds } from './exchange-row.ts';
import type { RawClient } from './raw-client.ts';

const GET = request('GET /');
const MEGABYTE = 'M'.repeat(1024 * 1024);
const WEBSOCKET = request('GET /ws', [
  'Connection: keep-alive, Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]);
const SWITCHED = answer('101 Switching Protocols', [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
]);

/** A GET whose answer reaches the client whole. */
function passes(name: string, app: ExchangeRow['app'], status: number, client?: RegExp): ExchangeRow {
  return { name, send: GET, app, want: { status, ...(client && { client }) } };
}

function head(name: string, app: string, client: RegExp): ExchangeRow {
  return { name, send: request('HEAD /'), head: true, app, want: { status: 200, client } };
}

function interims(count: number): string {
  return answer('103 Early Hints', ['Link: </a.css>; rel=preload']).repeat(count);
}

async function upgradeAndTalk(client: RawClient): Promise<void> {
  client.send(WEBSOCKET);
  await client.waitFor(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\nhello$/);
  client.send('ping');
  await client.waitFor(/pong$/);
  client.end();
}

const FRAMING: ExchangeRow[] = [
  passes(
    'an answer of known length',
    answer('200 OK', ['Content-Length: 5'], 'hello'),
    200,
    /Content-Length: 5\r\n\r\nhello$/,
  ),
  passes('an empty answer', answer('200 OK', ['Content-Length: 0']), 200, /\r\nContent-Length: 0\r\n\r\n$/),
  passes(
    'a chunked answer',
    answer('200 OK', ['Transfer-Encoding: chunked'], chunked('he', 'llo')),
    200,
    /\r\nTransfer-Encoding: chunked\r\n\r\nhello$/,
  ),
  passes(
    'an empty chunked answer',
    answer('200 OK', ['Transfer-Encoding: chunked'], chunked()),
    200,
    /chunked\r\n\r\n$/,
  ),
  passes(
    'a chunked answer with extensions',
    answer('200 OK', ['Transfer-Encoding: chunked'], '5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n'),
    200,
    /\r\n\r\nhello$/,
  ),
  passes(
    'a chunked answer spelled Chunked, sizes in capitals',
    answer('200 OK', ['transfer-encoding: Chunked'], `A\r\n${'x'.repeat(10)}\r\n00\r\n\r\n`),
    200,
    /x{10}$/,
  ),
  passes('an answer of 1 MiB of known length', answer('200 OK', [`Content-Length: ${MEGABYTE.length}`], MEGABYTE), 200),
  passes(
    'an answer of 1 MiB in chunks',
    answer('200 OK', ['Transfer-Encoding: chunked'], chunked(...(MEGABYTE.match(/.{1,9999}/g) ?? []))),
    200,
  ),
  passes(
    'an answer byte by byte',
    inPieces(...answer('200 Fine', ['X-A: 1', 'Transfer-Encoding: chunked'], chunked('he', 'llo'))),
    200,
    /^HTTP\/1.1 200 Fine\r\n[\s\S]*hello$/,
  ),
  passes('204', answer('204 No Content', ['X-A: 1']), 204, /\r\nX-A: 1\r\n/),
  passes(
    '204 with a length, which it cannot have',
    answer('204 No Content', ['Content-Length: 0', 'X-A: 1']),
    204,
    /^(?![\s\S]*Content-Length)/,
  ),
  passes('205 with an empty body', answer('205 Reset Content', ['Content-Length: 0']), 205),
  passes(
    '304 with the length of what it leaves out',
    answer('304 Not Modified', ['Content-Length: 77', 'ETag: "x"']),
    304,
    /Content-Length: 77/,
  ),
  passes(
    '304 with a coding',
    answer('304 Not Modified', ['Transfer-Encoding: chunked']),
    304,
    /^(?![\s\S]*Transfer-Encoding)/,
  ),
  passes(
    'an answer until the end of the connection',
    thenEnds(answer('200 OK', ['X-A: 1'], 'all of it')),
    200,
    /\r\nTransfer-Encoding: chunked\r\n\r\nall of it$/,
  ),
  passes('an empty answer until the end of the connection', thenEnds(answer('200 OK')), 200, /chunked\r\n\r\n$/),
  passes(
    'an app of HTTP/1.0',
    thenEnds('HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nold'),
    200,
    /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nold$/,
  ),
  passes(
    'an app of HTTP/1.0 with a length',
    thenEnds('HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold'),
    200,
    /Content-Length: 3\r\n\r\nold$/,
  ),
  passes(
    'an app of HTTP/1.0 that keeps its connection',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold',
    200,
    /^HTTP\/1\.1 200 OK\r\nContent-Length: 3\r\n\r\nold$/,
  ),
  passes(
    'an app that closes after its answer',
    thenEnds(answer('200 OK', ['Connection: close', 'Content-Length: 2'], 'ok')),
    200,
    /^HTTP\/1\.1 200 OK\r\nContent-Length: 2\r\n\r\nok$/,
  ),
  head('HEAD with a length', answer('200 OK', ['Content-Length: 999']), /\r\nContent-Length: 999\r\n\r\n$/),
  head('HEAD with a coding', answer('200 OK', ['Transfer-Encoding: chunked', 'X-A: 1']), /\r\nX-A: 1\r\n\r\n$/),
  head('HEAD with neither', answer('200 OK', ['X-A: 1']), /\r\nX-A: 1\r\n\r\n$/),
  {
    name: 'a chunked answer to HTTP/1.0 ends with the connection',
    send: lines('GET / HTTP/1.0', 'Host: app.test', 'Connection: keep-alive'),
    app: answer('200 OK', ['Transfer-Encoding: chunked', 'Trailer: X-T'], '5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n'),
    want: { status: 200, client: /^(?![\s\S]*Transfer-Encoding)[\s\S]*\r\nConnection: close\r\n\r\nhello$/ },
  },
  {
    name: 'an answer before the upload is complete closes the connection',
    send: request('POST /up', ['Content-Length: 100000'], 'only the beginning'),
    early: true,
    app: answer('413 Content Too Large', ['Content-Length: 3'], 'big'),
    want: { status: 413, client: /\r\nConnection: close\r\n(?:.*\r\n)*\r\nbig$/ },
  },
  {
    name: 'an answer before a chunked upload is complete closes the connection',
    send: request('PUT /up', ['Transfer-Encoding: chunked'], '4\r\nonly\r\n'),
    early: true,
    app: answer('200 OK', ['Transfer-Encoding: chunked'], chunked('enough')),
    want: { status: 200, client: /\r\nConnection: close\r\n(?:.*\r\n)*\r\nenough$/ },
  },
];

const TRAILERS: ExchangeRow[] = [
  passes(
    'announced trailers',
    answer('200 OK', ['Transfer-Encoding: chunked', 'Trailer: X-Sum'], '2\r\nhi\r\n0\r\nX-Sum: 42\r\nx-Two: \r\n\r\n'),
    200,
    /\r\nTrailer: X-Sum\r\n[\s\S]*\r\n\r\nhi\r\nX-Sum: 42\r\nx-Two: $/,
  ),
  passes(
    'trailers that nobody announced',
    answer('200 OK', ['Transfer-Encoding: chunked'], '2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n'),
    200,
    /hi\r\nX-Sum: 42$/,
  ),
  passes(
    'in an answer, Trailer without a chunked body is dropped',
    answer('200 OK', ['Trailer: X-Sum', 'Content-Length: 2'], 'hi'),
    200,
    /^(?![\s\S]*Trailer)/,
  ),
  {
    ...passes(
      'trailers cannot frame the message, nor manage the connection',
      answer(
        '200 OK',
        ['Transfer-Encoding: chunked'],
        '2\r\nhi\r\n0\r\nContent-Length: 7\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nX-Sum: 42\r\n\r\n',
      ),
      200,
      /^(?![\s\S]*(?:Content-Length|Connection))[\s\S]*hi\r\nX-Sum: 42$/,
    ),
    // Node's parser breaks the answer off at a Content-Length among the trailers.
    httpProxy: { status: 200, cut: true },
    differs: ['node-reads-it'],
  },
];

const FIELDS: ExchangeRow[] = [
  passes(
    'fields keep their case, order and number',
    answer(
      '200 OK',
      [
        'server: tiny',
        'X-b: 2',
        'x-B: 1',
        'Set-Cookie: a=1; Path=/',
        'X-Empty:',
        'set-cookie: b=2',
        'Content-Length: 2',
        'X-In: a  b ',
      ],
      'ok',
    ),
    200,
    /^HTTP\/1\.1 200 OK\r\nserver: tiny\r\nX-b: 2\r\nx-B: 1\r\nSet-Cookie: a=1; Path=\/\r\nX-Empty: \r\nset-cookie: b=2\r\nContent-Length: 2\r\nX-In: a {2}b\r\n\r\nok$/,
  ),
  passes(
    'bytes above 0x7f in a value',
    answer('200 OK', ['X-Latin: caf\xe9 \xff', 'Content-Length: 0']),
    200,
    /X-Latin: caf\xe9 \xff\r\n/,
  ),
  passes(
    'names that objects have, too',
    answer('200 OK', ['__proto__: 1', 'constructor: 2', 'hasOwnProperty: 3', 'Content-Length: 0']),
    200,
    /\r\n__proto__: 1\r\nconstructor: 2\r\nhasOwnProperty: 3\r\n/,
  ),
  passes(
    'in an answer, hop-by-hop fields and those that Connection names are removed',
    answer('200 OK', [
      'Connection: keep-alive, X-Hop',
      'X-Hop: 1',
      'Keep-Alive: timeout=5, max=9',
      'Proxy-Authenticate: Basic',
      'Upgrade: h2c',
      'Proxy-Connection: x',
      'X-Stays: 1',
      'Content-Length: 0',
    ]),
    200,
    /^HTTP\/1\.1 200 OK\r\nX-Stays: 1\r\nContent-Length: 0\r\n\r\n$/,
  ),
  {
    name: 'a Connection that names Content-Length would leave an answer without an end: it is refused',
    send: GET,
    app: answer('200 OK', ['Connection: content-length', 'Content-Length: 2', 'X-A: 1'], 'ok'),
    want: { status: 502, client: /details="upstream_ambiguous"/ },
  },
  passes(
    'Alt-Svc, Date and a Proxy-Status of the app are its own',
    answer('200 OK', ['Date: yesterday', 'Alt-Svc: clear', 'Proxy-Status: app', 'Content-Length: 0']),
    200,
    /Alt-Svc: clear\r\nProxy-Status: app\r\n/,
  ),
  passes(
    'Location and Refresh are not rewritten',
    answer('302 Found', ['Location: http://app.test:80/x', 'Refresh: 0; url=http://127.0.0.1/', 'Content-Length: 0']),
    302,
    /Location: http:\/\/app\.test:80\/x\r\n/,
  ),
  passes(
    'a reason in other words',
    answer('200 It  Works (really)', ['Content-Length: 0']),
    200,
    /^HTTP\/1\.1 200 It {2}Works \(really\)\r\n/,
  ),
  passes('no reason', answer('200 ', ['Content-Length: 0']), 200, /^HTTP\/1\.1 200 \r\n/),
  passes('neither a reason nor the space before it', answer('200', ['Content-Length: 0']), 200, /^HTTP\/1\.1 200 \r\n/),
  passes('a status that nobody knows', answer('299 Odd', ['Content-Length: 0']), 299, /^HTTP\/1\.1 299 Odd\r\n/),
  passes('an error of the app is its own', answer('599 Mine', ['Content-Length: 4'], 'mine'), 599, /mine$/),
  passes(
    'a 426 that is the app’s own',
    answer('426 Upgrade Required', ['Sec-WebSocket-Version: 13', 'Content-Length: 0']),
    426,
  ),
  passes(
    'a large head',
    answer(
      '200 OK',
      [...Array.from({ length: 28 }, (_, at) => `X-${at}: ${'y'.repeat(1100)}`), 'Content-Length: 2'],
      'ok',
    ),
    200,
    /X-27: y+\r\n/,
  ),
  passes(
    'in an answer, as many fields as are allowed',
    answer('200 OK', [...Array.from({ length: 255 }, (_, at) => `X-${at}: y`), 'Content-Length: 2'], 'ok'),
    200,
    /X-254: y\r\n/,
  ),
];

const INTERIM: ExchangeRow[] = [
  passes('102 and 103 come before the answer, in order', answer('102 Processing') + interims(1) + OK, 200),
  passes('twenty interim answers', interims(20) + OK, 200),
  passes(
    'interim answers in pieces',
    inPieces(...((answer('102 Processing') + interims(2) + OK).match(/[\s\S]{1,7}/g) ?? [])),
    200,
  ),
  passes('a 100 that nobody asked for is not passed on', answer('100 Continue') + OK, 200),
  passes(
    'an interim answer has no hop-by-hop fields',
    answer('103 Early Hints', [
      'Link: </a>',
      'Connection: x-hop',
      'X-Hop: 1',
      'Keep-Alive: timeout=1',
      'Transfer-Encoding: chunked',
    ]) + OK,
    200,
  ),
  {
    name: 'HTTP/1.0 gets no interim answers',
    send: lines('GET / HTTP/1.0', 'Host: app.test'),
    app: interims(2) + OK,
    want: { status: 200, client: /^HTTP\/1\.1 200 / },
  },
];

const UPGRADES: ExchangeRow[] = [
  {
    name: 'a WebSocket: the 101, then bytes both ways',
    send: upgradeAndTalk,
    app: async (app) => {
      app.write(`${SWITCHED}hello`);
      await app.waitFor(/ping$/);
      app.write('pong');
    },
    want: {
      status: 101,
      app: /\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n(?:.*\r\n)*Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nping$/,
    },
  },
  {
    name: 'a protocol of another name',
    send: request('GET /x', ['Connection: upgrade', 'Upgrade: Foo/2']),
    app: answer('101 Switching Protocols', ['Upgrade: foo/2', 'Connection: Upgrade']),
    want: { status: 101, app: /\r\nUpgrade: Foo\/2\r\n/, client: /\r\nUpgrade: foo\/2\r\n/i },
  },
  {
    name: 'a WebSocket that the app refuses',
    send: WEBSOCKET,
    app: answer('403 Forbidden', ['X-Why: no', 'Transfer-Encoding: chunked'], chunked('not ', 'you')),
    want: { status: 403, client: /X-Why: no\r\n[\s\S]*not you$/ },
  },
  {
    name: 'a WebSocket whose app answers another protocol',
    send: WEBSOCKET,
    app: answer('101 Switching Protocols', ['Upgrade: chat', 'Connection: Upgrade']),
    want: { status: 502, client: /details="upstream_bad_upgrade"/ },
  },
  {
    name: 'a 101 that names no protocol',
    send: WEBSOCKET,
    app: answer('101 Switching Protocols', ['Connection: Upgrade']),
    want: { status: 502, client: /details="upstream_bad_upgrade"/ },
  },
  {
    name: 'a WebSocket without its key',
    send: request('GET /ws', ['Connection: Upgrade', 'Upgrade: websocket']),
    app: OK,
    want: { status: 400, app: 'nothing' },
  },
  {
    name: 'what follows the head reaches nobody before the 101',
    send: `${WEBSOCKET}early${CRLF}`,
    app: async (app) => {
      app.write(SWITCHED);
      await app.waitFor(/early\r\n$/);
      app.write('got it');
    },
    want: { status: 101, app: /\r\n\r\nearly\r\n$/ },
  },
];

export const ANSWERS: readonly ExchangeRow[] = [...FRAMING, ...TRAILERS, ...FIELDS, ...INTERIM, ...UPGRADES];
