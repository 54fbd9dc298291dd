// Exchanges in which the request is what matters: methods, bodies, fields, targets, versions, persistence.

import { answer, chunked, type ExchangeRow, lines, OK, request } from './exchange-row.ts';
import type { RawClient } from './raw-client.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH'];
const MEGABYTE = 'm'.repeat(1024 * 1024);
const fieldsOf = (count: number, bytes: number): string[] =>
  Array.from({ length: count }, (_, at) => `F-${at}: ${'v'.repeat(bytes)}`);

/** A request whose target must reach the app as it is. */
function target(text: string): ExchangeRow {
  const literal = text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return {
    name: `the target ${text.length > 60 ? `of ${text.length} bytes` : text} is passed on as it is`,
    send: request(`GET ${text}`),
    app: OK,
    want: { status: 200, app: new RegExp(`^GET ${literal} HTTP/1\\.1\\r\\n`) },
  };
}

async function expectThenBody(client: RawClient): Promise<void> {
  client.send(request('POST /expect', ['Expect: 100-continue', 'Content-Length: 4']));
  await client.waitFor('HTTP/1.1 100 ');
  client.send('body');
}

const METHOD_ROWS: ExchangeRow[] = METHODS.flatMap((method) => [
  {
    name: `${method} without a body gets neither length nor coding`,
    send: request(`${method} /plain`),
    app: OK,
    want: {
      status: 200,
      app: new RegExp(
        `^${method} /plain HTTP/1.1\r\nHost: app.test\r\n(?!(?:.*\r\n)*(?:content-length|transfer-encoding|user-agent|accept):)`,
        'i',
      ),
    },
  },
  {
    name: `${method} with a body of known length`,
    send: request(`${method} /length`, ['Content-Length: 9'], 'nine byte'),
    app: OK,
    want: { status: 200, app: /\r\nContent-Length: 9\r\n(?:.*\r\n)*\r\nnine byte$/ },
  },
  {
    name: `${method} with a chunked body stays chunked`,
    send: request(`${method} /chunked`, ['Transfer-Encoding: chunked'], chunked('hello ', 'chunks')),
    app: OK,
    want: { status: 200, app: /\r\nTransfer-Encoding: chunked\r\n(?:.*\r\n)*\r\n[0-9a-f]+\r\nhello /i },
  },
]);

const BODIES: ExchangeRow[] = [
  {
    name: 'a Content-Length of 0 is kept',
    send: request('POST /zero', ['Content-Length: 0']),
    app: OK,
    want: { status: 200, app: /\r\nContent-Length: 0\r\n/ },
  },
  {
    name: 'an empty chunked body stays one',
    send: request('POST /empty', ['Transfer-Encoding: Chunked'], chunked()),
    app: OK,
    want: { status: 200, app: /\r\nTransfer-Encoding: chunked\r\n(?:.*\r\n)*\r\n0\r\n\r\n$/ },
  },
  {
    name: '1 MiB of known length',
    send: request('POST /big', [`Content-Length: ${MEGABYTE.length}`], MEGABYTE),
    app: OK,
    want: { status: 200 },
  },
  {
    name: '1 MiB in chunks',
    send: request('PUT /big', ['Transfer-Encoding: chunked'], chunked(...(MEGABYTE.match(/.{1,10000}/g) ?? []))),
    app: OK,
    want: { status: 200 },
  },
  {
    name: 'extensions of chunks are dropped',
    send: request('POST /ext', ['Transfer-Encoding: chunked'], '5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n'),
    app: OK,
    want: { status: 200, app: /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/ },
  },
  {
    name: 'a coded body is not looked at',
    send: Buffer.from(
      request('POST /gzip', ['Content-Encoding: gzip', 'Content-Length: 6'], '\x1f\x8b\0\xff\r\n'),
      'latin1',
    ),
    app: OK,
    want: { status: 200, app: /\r\nContent-Encoding: gzip\r\n(?:.*\r\n)*\r\n.\x8b.\xff\r\n$/ },
  },
  {
    name: 'announced trailers of a request',
    send: request('POST /t', ['Transfer-Encoding: chunked', 'Trailer: X-Sum'], '2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n'),
    app: OK,
    want: { status: 200, app: /\r\nTrailer: X-Sum\r\n(?:.*\r\n)*\r\n2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n$/ },
  },
  {
    name: 'trailers of a request that nobody announced, two of them',
    send: request('DELETE /t', ['Transfer-Encoding: chunked'], '2\r\nhi\r\n0\r\nX-Sum: 42\r\nx-more: \xe9\r\n\r\n'),
    app: OK,
    want: { status: 200, app: /\r\n0\r\nX-Sum: 42\r\nx-more: .+\r\n\r\n$/ },
  },
  {
    name: 'Trailer without a chunked body is dropped',
    send: request('POST /t', ['Trailer: X-Sum', 'Content-Length: 2'], 'hi'),
    app: OK,
    want: { status: 200, app: /^(?!(?:.*\r\n)*Trailer:)/ },
  },
  {
    name: 'trailers cannot say who the client is, nor how the message is framed',
    send: request(
      'POST /t',
      ['Transfer-Encoding: chunked'],
      '2\r\nhi\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nContent-Length: 99\r\nX_Forwarded_Client_Cert: Hash=1\r\nConnection: x\r\nX-Sum: 42\r\n\r\n',
    ),
    app: OK,
    want: { status: 200, app: /^(?!(?:.*\r\n)*(?:X-Forwarded-For: 6|Content-Length|X_Forwarded|Connection: x))/ },
  },
  {
    name: 'Expect with a 100 from the app',
    send: expectThenBody,
    early: true,
    app: async (app) => {
      app.write('HTTP/1.1 100 Continue\r\n\r\n');
      await app.waitFor(/\r\n\r\nbody$/);
      app.write(OK);
    },
    want: { status: 200, app: /\r\nExpect: 100-continue\r\n(?:.*\r\n)*\r\nbody$/ },
  },
  {
    name: 'Expect with a final answer instead of a 100',
    send: request('POST /expect', ['Expect: 100-continue', 'Content-Length: 4']),
    early: true,
    app: answer('417 Expectation Failed', ['Content-Length: 2'], 'no'),
    want: { status: 417, client: /\r\nConnection: close\r\n/ },
  },
  {
    name: 'Expect without a body is dropped',
    send: request('GET /expect', ['Expect: 100-Continue']),
    app: OK,
    want: { status: 200, app: /^(?!(?:.*\r\n)*Expect:)/ },
  },
  {
    name: 'Expect of HTTP/1.0 is dropped',
    send: `${lines('POST /expect HTTP/1.0', 'Host: app.test', 'Expect: 100-continue', 'Content-Length: 2')}hi`,
    app: OK,
    want: { status: 200, app: /^(?!(?:.*\r\n)*Expect:)/ },
  },
];

const FIELDS: ExchangeRow[] = [
  {
    name: 'names keep their case, values their bytes',
    send: Buffer.from(
      request('GET /', [
        'x-LoWeR: a',
        'X-UPPER:b',
        'X-Empty:',
        'X-In:  a \t b  ',
        'X-Latin: caf\xe9',
        'x-__proto__: 1',
        '__proto__: 2',
        'constructor: 3',
      ]),
      'latin1',
    ),
    app: OK,
    want: {
      status: 200,
      app: /\r\nx-LoWeR: a\r\nX-UPPER: b\r\nX-Empty: \r\nX-In: a \t b\r\nX-Latin: caf\xe9\r\nx-__proto__: 1\r\n__proto__: 2\r\nconstructor: 3\r\n/,
    },
  },
  {
    name: 'what a client says of itself is kept',
    send: request('GET /', [
      'User-Agent: probe/1 (x; y)',
      'Accept: */*',
      'Authorization: Basic eDp5',
      'Cookie: a=b; c="d"',
      'Via: 1.0 fred',
    ]),
    app: OK,
    want: {
      status: 200,
      app: /\r\nUser-Agent: probe\/1 \(x; y\)\r\nAccept: \*\/\*\r\nAuthorization: Basic eDp5\r\nCookie: a=b; c="d"\r\nVia: 1.0 fred\r\n/,
    },
  },
  {
    name: 'fields of the same name stay apart and in order',
    send: request('GET /', ['X-A: 1', 'Cookie: a=1', 'x-a: 2', 'Accept: text/html', 'Cookie: b=2', 'X-A: 3']),
    app: OK,
    want: { status: 200, app: /X-A: 1\r\n(?:.*\r\n)*?x-a: 2\r\n|X-A: 1\r\nX-A: 2\r\nX-A: 3\r\n/ },
    differs: ['grouped'],
  },
  {
    name: 'Host stays where the client put it',
    send: lines('GET / HTTP/1.1', 'X-First: 1', 'Host: App.Test:8443'),
    app: OK,
    want: { status: 200, app: /\r\nX-Forwarded-Host: App\.Test:8443\r\nX-Forwarded-Port: 8443\r\n/ },
  },
  {
    name: 'an IPv6 Host',
    send: lines('GET / HTTP/1.1', 'Host: [::1]:8080'),
    app: OK,
    want: { status: 200, app: /\r\nHost: \[::1\]:8080\r\n(?:.*\r\n)*X-Forwarded-Port: 8080\r\n/ },
  },
  {
    name: 'hop-by-hop fields and those that Connection names are removed',
    send: request('GET /', [
      'Connection: keep-alive, X-Hop, close',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: Basic eDp5',
      'TE: gzip',
      'Upgrade: foo/2',
      'X-Stays: 1',
    ]),
    app: OK,
    want: {
      status: 200,
      app: /^(?!(?:.*\r\n)*(?:x-hop|keep-alive|proxy-|te|upgrade):)(?:.*\r\n)*X-Stays: 1\r\n/i,
      client: /\r\nConnection: close\r\n/,
    },
  },
  {
    name: 'two Connection fields, the first one empty',
    send: request('GET /', ['Connection:', 'Connection: x-hop', 'X-Hop: 1']),
    app: OK,
    want: { status: 200, app: /^(?!(?:.*\r\n)*x-hop:)/i },
  },
  {
    name: 'Connection cannot remove what we set',
    send: request('GET /', ['Connection: X-Forwarded-For, X-Forwarded-Proto, X-Request-Id']),
    app: OK,
    want: {
      status: 200,
      app: /\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: https\r\n(?:.*\r\n)*X-Request-Id: /,
    },
  },
  {
    name: 'TE: trailers is kept, other codings are not',
    send: request('GET /', ['TE: gzip, trailers', 'Connection: TE']),
    app: OK,
    want: { status: 200, app: /\r\nTE: trailers\r\nConnection: TE\r\n/ },
  },
  {
    name: 'what a client says of its way here is replaced, spelled with _ too',
    send: request('GET /', [
      'X-Forwarded-For: 1.2.3.4',
      'X_Forwarded_For: 1.2.3.4',
      'X-Forwarded-Proto: gopher',
      'x-forwarded-client-cert: Hash=1',
      'X-Forwarded-Prefix: /x',
      'Forwarded: for=1.2.3.4',
      'X-Request-Id: mine',
      'x_request_id: mine',
    ]),
    app: OK,
    want: {
      status: 200,
      app: /^(?!(?:.*\r\n)*(?:forwarded:|.*1\.2\.3\.4|.*gopher|x.forwarded.client|x-forwarded-prefix|.*mine))(?:.*\r\n)*X-Forwarded-For: 127\.0\.0\.1\r\n/i,
    },
  },
  {
    name: 'a head close to its cap',
    send: request('GET /', fieldsOf(15, 1040)),
    app: OK,
    want: { status: 200, app: /\r\nF-14: v{1040}\r\n/ },
  },
  {
    name: 'as many fields as are allowed',
    send: request('GET /', fieldsOf(255, 3)),
    app: OK,
    want: { status: 200, app: /\r\nF-254: vvv\r\n/ },
  },
  {
    name: 'one field more than is allowed',
    send: request('GET /', fieldsOf(256, 3)),
    app: OK,
    want: { status: 431, app: 'nothing' },
  },
  {
    name: 'a head above its cap',
    send: request('GET /', fieldsOf(17, 1000)),
    app: OK,
    want: { status: 431, app: 'nothing' },
  },
  ...['get', 'head', 'Post'].map((method) => ({
    name: `the method ${method} is refused: http.request would make it another one`,
    send: request(`${method} /`),
    app: OK,
    want: { status: 501, app: 'nothing' as const },
  })),
  {
    name: 'an offer of h2c is not passed on',
    send: request('GET /', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']),
    app: OK,
    want: { status: 200, app: /^(?!(?:.*\r\n)*(?:upgrade|http2-settings):)/i },
  },
  {
    name: 'Upgrade that Connection does not name is not passed on',
    send: request('GET /', ['Upgrade: websocket']),
    app: OK,
    want: { status: 200, app: /^(?!(?:.*\r\n)*upgrade:)/i },
  },
  {
    name: 'a request for a range',
    send: request('GET /file', ['Range: bytes=2-4', 'If-Range: "v1"']),
    app: answer('206 Partial Content', ['Content-Range: bytes 2-4/10', 'Content-Length: 3', 'ETag: "v1"'], 'cde'),
    want: {
      status: 206,
      app: /\r\nRange: bytes=2-4\r\nIf-Range: "v1"\r\n/,
      client: /Content-Range: bytes 2-4\/10\r\n(?:.*\r\n)*\r\ncde$/,
    },
  },
  {
    name: 'a conditional request',
    send: request('GET /file', ['If-None-Match: W/"v1", "v2"', 'If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT']),
    app: answer('304 Not Modified', ['ETag: W/"v1"', 'Content-Length: 1234']),
    want: { status: 304, app: /\r\nIf-None-Match: W\/"v1", "v2"\r\n/, client: /\r\nContent-Length: 1234\r\n/ },
  },
];

const TARGETS: ExchangeRow[] = [
  '/?a=1&a=2;b=3',
  '/?a=%zz',
  '/?',
  '/a?b?c=/?&&',
  '//evil//x/',
  '/a%2Fb%2f..%2F',
  '/a/../b/./c',
  '/a;p=1/b;q',
  '/%00%0d%0a',
  '/[x]|{y}\\^`"<>',
  `/${'l'.repeat(8000)}`,
].map(target);

const FORMS: ExchangeRow[] = [
  {
    name: 'an absolute target becomes a path',
    send: lines('GET https://app.test/a//b?c HTTP/1.1', 'Host: app.test'),
    app: OK,
    want: { status: 200, app: /^GET \/a\/\/b\?c HTTP\/1.1\r\nHost: app.test\r\n/ },
  },
  {
    name: 'an absolute target without a path, with a query',
    send: lines('GET HTTP://App.Test?q HTTP/1.1', 'Host: app.test'),
    app: OK,
    want: { status: 200, app: /^GET \/\?q HTTP\/1.1\r\n/ },
  },
  { name: 'OPTIONS *', send: request('OPTIONS *'), app: OK, want: { status: 200, app: /^OPTIONS \* HTTP\/1.1\r\n/ } },
];

const CONNECTIONS: ExchangeRow[] = [
  {
    name: 'HTTP/1.0 without a Host',
    send: lines('GET /old HTTP/1.0', 'X-A: 1'),
    app: OK,
    want: {
      status: 200,
      app: /^GET \/old HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nX-A: 1\r\n/,
      client: /\r\nConnection: close\r\n/,
    },
  },
  {
    name: 'HTTP/1.0 that keeps its connection',
    send: `${lines('POST /old HTTP/1.0', 'Host: app.test', 'Connection: keep-alive', 'Content-Length: 2')}hi`,
    app: OK,
    want: { status: 200, app: /\r\n\r\nhi$/, client: /\r\nConnection: keep-alive\r\n/ },
  },
  {
    name: 'three requests one after the other',
    send: async (client) => {
      for (const path of ['/1', '/2', '/3']) {
        const seen = client.received.length;
        client.send(request(`GET ${path}`));
        await client.waitFor((received) => received.length > seen && received.toString('latin1').endsWith('ok'));
      }
    },
    answers: 3,
    app: OK,
    want: { status: 200, app: /^GET \/1 [\s\S]*GET \/2 [\s\S]*GET \/3 / },
  },
  {
    name: 'five requests at once are answered in their order',
    send: ['/1', '/2', '/3', '/4', '/5'].map((path) => request(`GET ${path}`)).join(''),
    answers: 5,
    app: (app, text) => app.write(answer('200 OK', ['Content-Length: 2'], text.slice(4, 6))),
    want: { status: 200, client: /\/1[\s\S]*\/2[\s\S]*\/3[\s\S]*\/4[\s\S]*\/5$/ },
  },
  {
    name: 'bodies of both kinds, and requests behind them, at once',
    send:
      request('POST /1', ['Content-Length: 3'], 'abc') +
      request('PUT /2', ['Transfer-Encoding: chunked'], chunked('defg')) +
      request('DELETE /3', ['Content-Length: 1'], 'h') +
      request('GET /4', ['Connection: close']),
    answers: 4,
    app: OK,
    want: { status: 200, app: /abcPUT \/2 [\s\S]*\r\n\r\n4\r\ndefg\r\n0\r\n\r\nDELETE \/3 [\s\S]*\r\n\r\nhGET \/4/ },
  },
  {
    name: 'an empty line before a request',
    send: `\r\n${request('GET /')}`,
    app: OK,
    want: { status: 200, app: /^GET \/ HTTP/ },
  },
];

export const REQUESTS: readonly ExchangeRow[] = [
  ...METHOD_ROWS,
  ...BODIES,
  ...FIELDS,
  ...TARGETS,
  ...FORMS,
  ...CONNECTIONS,
];
