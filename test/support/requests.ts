// Cuts what a recorder received into complete HTTP/1 requests, leniently: it takes what a careless app would take, so that
// a test can see what such an app would have made of the bytes. It never judges and never changes a byte.

export type CutRequest = {
  /** Where the request begins and ends in the bytes that were given. */
  start: number;
  end: number;
  bytes: Buffer;
};

export type NextRequest =
  | { kind: 'complete'; request: CutRequest }
  /** `expectsContinue`: the head is here, its body is not, and the client waits for a 100. */
  | { kind: 'partial'; expectsContinue: boolean };

/** The first request at or after `from`. */
export function cutRequest(received: Buffer, from: number): NextRequest {
  let start = from;
  while (received[start] === 0x0d || received[start] === 0x0a) start += 1; // empty lines between requests, RFC 9112 section 2.2
  const headEnd = received.indexOf('\r\n\r\n', start, 'latin1');
  if (headEnd === -1) return { kind: 'partial', expectsContinue: false };
  const head = received.toString('latin1', start, headEnd);
  const bodyStart = headEnd + 4;
  const end = bodyEnd(received, bodyStart, head);
  if (end === undefined) return { kind: 'partial', expectsContinue: /^expect:[ \t]*100-continue/im.test(head) };
  return { kind: 'complete', request: { start, end, bytes: received.subarray(start, end) } };
}

function bodyEnd(received: Buffer, bodyStart: number, head: string): number | undefined {
  if (/^transfer-encoding:.*chunked/im.test(head)) return chunkedEnd(received, bodyStart);
  const length = /^content-length:[ \t]*(\d+)/im.exec(head)?.[1];
  const end = bodyStart + Number(length ?? 0);
  return end <= received.length ? end : undefined;
}

function chunkedEnd(received: Buffer, bodyStart: number): number | undefined {
  let at = bodyStart;
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16);
    at = lineEnd + 2;
    if (!(size > 0)) return trailersEnd(received, at);
    at += size + 2;
    if (at > received.length) return undefined;
  }
}

function trailersEnd(received: Buffer, from: number): number | undefined {
  let at = from;
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1) return undefined;
    if (lineEnd === at) return lineEnd + 2;
    at = lineEnd + 2;
  }
}
