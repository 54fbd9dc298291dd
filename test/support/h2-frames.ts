// HTTP/2 frames and HPACK, written and read by our own hand (RFC 9113, RFC 7541), so that Node's http2 does not judge Node's
// http2. The writer takes whatever it is given and corrects nothing: names, lengths and flags may be as wrong as a test needs.
// How a header block is read stands in header-block.ts.

export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** RFC 9113 section 7. */
export const Code = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  enhanceYourCalm: 11,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export type Frame = { type: number; flags: number; stream: number; payload: Buffer };
/** Name and value, in order; pseudo fields are fields. */
export type Field = readonly [name: string, value: string];

// ---- writing

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export function settings(values: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [at, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  }
  return frame(Type.settings, 0, 0, payload);
}

export const SETTINGS_ACK = frame(Type.settings, Flag.ack, 0);

export function headers(stream: number, fields: readonly Field[], endStream = true): Buffer {
  return frame(Type.headers, Flag.endHeaders | (endStream ? Flag.endStream : 0), stream, headerBlock(fields));
}

export function data(stream: number, payload: Buffer | string, endStream = false): Buffer {
  return frame(Type.data, endStream ? Flag.endStream : 0, stream, payload);
}

export function rstStream(stream: number, code: number = Code.cancel): Buffer {
  return frame(Type.rstStream, 0, stream, uint32(code));
}

export function windowUpdate(stream: number, bytes: number): Buffer {
  return frame(Type.windowUpdate, 0, stream, uint32(bytes));
}

export function ping(payload = '12345678'): Buffer {
  return frame(Type.ping, 0, 0, payload);
}

export function pushPromise(stream: number): Buffer {
  return frame(
    Type.pushPromise,
    Flag.endHeaders,
    stream,
    Buffer.concat([uint32(2), headerBlock([[':method', 'GET']])]),
  );
}

export function goaway(lastStream = 0, code: number = Code.noError): Buffer {
  return frame(Type.goaway, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** Every field as a literal without indexing, no Huffman: the bytes of a name or value are those of the text (latin1). */
export function headerBlock(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => literal(name, value)));
}

export function literal(name: string, value: string, kind: 'plain' | 'indexed' = 'plain'): Buffer {
  return Buffer.concat([Buffer.from([kind === 'indexed' ? 0x40 : 0]), text(name), text(value)]);
}

/** A reference to an entry of the static or the dynamic table; 62 is the newest of the dynamic one. */
export function indexed(entry: number): Buffer {
  return integer(entry, 7, 0x80);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7, 0), bytes]);
}

function integer(value: number, bits: number, first: number): Buffer {
  const most = (1 << bits) - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  let left = value - most;
  for (; left >= 128; left >>>= 7) bytes.push((left & 127) | 128);
  bytes.push(left);
  return Buffer.from(bytes);
}

// ---- reading

/** Cuts frames out of what comes, in any pieces. */
export class FrameReader {
  #parts: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): Frame[] {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    if (this.#length < 9) return frames;
    let rest = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) break;
      const payload = rest.subarray(9, 9 + length);
      frames.push({ type: rest[3] ?? 0, flags: rest[4] ?? 0, stream: rest.readUInt32BE(5) & 0x7fffffff, payload });
      rest = rest.subarray(9 + length);
    }
    this.#parts = [rest];
    this.#length = rest.length;
    return frames;
  }
}
