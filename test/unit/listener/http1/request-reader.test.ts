// Requests out of bytes, without a socket: whatever the cut, the same heads and bodies, in the same order.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../../src/exchange.ts';
import { RequestReader } from '../../../../src/listener/http1/request-reader.ts';

const LIMITS = { maxHeaderBytes: 256, maxFields: 8 };
const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';
const POST = 'POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc';
const CHUNKED = 'PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n';

/** What a listener would do with the bytes, given in parts of `size`: each request as one line. */
function readAll(text: string, size: number): string[] {
  const reader = new RequestReader(LIMITS);
  const requests: string[] = [];
  const bytes = Buffer.from(text, 'latin1');
  let line = '';
  const sink = {
    chunk(data: Buffer): void {
      line += data.toString('latin1');
    },
  };
  const take = (): boolean => {
    if (reader.complete) {
      requests.push(line + (reader.trailers === undefined ? '' : ` ${reader.trailers}`));
      reader.endRequest();
      return true;
    }
    if (reader.inBody) {
      const before = reader.unread;
      assert.equal(reader.readBody(sink), true);
      return reader.complete || reader.unread < before;
    }
    const head = reader.readHead();
    if (head === undefined) return false;
    line = `${head.reason ?? head.method} ${head.target} `;
    if (head.headers.includes('chunked')) reader.beginBody(UNKNOWN_LENGTH);
    else reader.beginBody(head.method === 'POST' ? 3 : 0);
    return true;
  };
  for (let at = 0; at < bytes.length; at += size) {
    reader.push(bytes.subarray(at, at + size));
    while (take());
  }
  return requests;
}

describe('requests', () => {
  test('are the same however their bytes are cut', () => {
    const text = `\r\n${GET}${POST}${CHUNKED}\r\n${GET}`;
    const expected = ['GET /a ', 'POST /b abc', 'PUT /c de T,v', 'GET /a '];
    for (let size = 1; size <= text.length; size++) assert.deepEqual(readAll(text, size), expected, `parts of ${size}`);
  });

  test('that are wrong say so, however their bytes are cut', () => {
    const rows = [
      ['GET /a HTTP/1.1\nHost: x\r\n\r\n', 'malformed_request'],
      [`GET /a HTTP/1.1\r\nA: ${'b'.repeat(300)}\r\n\r\n`, 'header_too_large'],
      [`GET /a HTTP/1.1\r\n${'A: b\r\n'.repeat(9)}\r\n`, 'too_many_fields'],
      ['GET /a HTTP/2.0\r\n\r\n', 'bad_version'],
    ] as const;
    for (const [text, reason] of rows)
      for (const size of [1, 7, text.length]) assert.equal(readAll(text, size)[0]?.split(' ')[0], reason, text);
  });
});

describe('a body', () => {
  test('waits until its length is known, and the next head until it has ended', () => {
    const reader = new RequestReader(LIMITS);
    reader.push(Buffer.from(POST + GET));
    assert.equal(reader.readHead()?.method, 'POST');
    const given: string[] = [];
    const sink = { chunk: (data: Buffer) => void given.push(data.toString()) };
    reader.readBody(sink);
    assert.deepEqual([given, reader.inBody, reader.readHead()], [[], false, undefined]);
    reader.beginBody(3);
    reader.beginBody(0);
    assert.equal(reader.inBody, true);
    reader.readBody(sink);
    assert.deepEqual([given, reader.complete, reader.unread], [['abc'], true, GET.length]);
    assert.equal(reader.readHead(), undefined);
    reader.endRequest();
    assert.equal(reader.readHead()?.method, 'GET');
  });

  test('that is broken is told', () => {
    const reader = new RequestReader(LIMITS);
    reader.push(Buffer.from('PUT / HTTP/1.1\r\n\r\nzz\r\n'));
    reader.readHead();
    reader.beginBody(UNKNOWN_LENGTH);
    assert.equal(reader.readBody({ chunk: () => assert.fail() }), false);
  });
});

describe('a reader that is closed', () => {
  test('gives back what was left, and takes nothing more', () => {
    const reader = new RequestReader(LIMITS);
    reader.push(Buffer.from(`${GET}rest`));
    reader.readHead();
    assert.equal(reader.close()?.toString(), 'rest');
    reader.push(Buffer.from(GET));
    reader.endRequest();
    assert.deepEqual([reader.unread, reader.closed, reader.readHead()], [0, true, undefined]);
  });

  test('by the sink of its body stays closed', () => {
    const reader = new RequestReader(LIMITS);
    reader.push(Buffer.from(POST + GET));
    reader.readHead();
    reader.beginBody(3);
    assert.equal(reader.readBody({ chunk: () => void reader.close() }), true);
    assert.deepEqual([reader.closed, reader.complete, reader.unread], [true, false, 0]);
  });
});
