// An HTTP/2 client made of raw frames over a raw TLS connection. It says the preface and settings, acknowledges settings
// and pings, gives windows back, and keeps what came for each stream: heads, body, and how it ended. All else, the test sends.

import {
  data,
  type Field,
  Flag,
  type Frame,
  FrameReader,
  frame,
  headers,
  PREFACE,
  SETTINGS_ACK,
  Setting,
  settings,
  Type,
  windowUpdate,
} from './h2-frames.ts';
import { readHeaderBlock } from './header-block.ts';
import { eventually, patienceMs } from './poll.ts';
import { type ConnectOptions, connect, type RawClient } from './raw-client.ts';

/** What came on one stream. */
export type H2Stream = {
  readonly id: number;
  /** Heads and trailers, in order. */
  readonly heads: Field[][];
  bytes: number;
  readonly chunks: Buffer[];
  /** END_STREAM came. */
  ended: boolean;
  /** The code of the RST_STREAM that came. */
  reset: number | undefined;
};

export type H2Options = Omit<ConnectOptions, 'alpn'> & {
  settings?: readonly (readonly [id: number, value: number])[];
  /** False: windows are never given back, neither a stream's nor the connection's. */
  refill?: boolean;
  /** False: pings and settings are not acknowledged. */
  acknowledge?: boolean;
  /** Instead of keeping the bytes of bodies. */
  onData?: (stream: number, chunk: Buffer) => void;
};

export interface H2Client {
  readonly raw: RawClient;
  /** All frames but DATA, in order. */
  readonly frames: readonly Frame[];
  /** The code of the GOAWAY that came. */
  readonly goaway: number | undefined;
  /** The server has ended the connection, or it is gone. */
  readonly ended: boolean;
  /** What the server lets streams send at first. */
  readonly peerWindow: number;
  send(...frames: Buffer[]): void;
  /** An id that was not used. */
  nextId(): number;
  /** Sends HEADERS (and DATA with END_STREAM when there is a body) on a new stream. */
  request(fields: readonly Field[], body?: Buffer | string): number;
  /** Sends a body of any length as far and as fast as the windows allow. False: the stream was reset, or the connection ended, first. */
  upload(stream: number, chunks: Iterable<Buffer>): Promise<boolean>;
  stream(id: number): H2Stream;
  status(id: number): number | undefined;
  body(id: number): Buffer;
  /** Resolves once the stream has ended, was reset, or the connection is gone. */
  over(id: number, deadlineMs?: number): Promise<H2Stream>;
  until(holds: () => unknown, what: string, deadlineMs?: number): Promise<void>;
  destroy(): void;
}

/** A GET of `/`, with these fields changed, added, or (undefined) left out; pseudo fields first. */
export function fieldsOf(changes: Readonly<Record<string, string | undefined>> = {}): Field[] {
  const all = { ':method': 'GET', ':scheme': 'https', ':authority': 'app.test', ':path': '/', ...changes };
  return Object.entries(all).filter((field): field is [string, string] => field[1] !== undefined);
}

export async function connectH2(options: H2Options): Promise<H2Client> {
  const { refill = true, acknowledge = true, onData, settings: wanted = [], ...address } = options;
  const raw = await connect({ ...address, alpn: ['h2'] });
  const early = raw.received;
  const { socket } = raw;
  // The raw client would keep all bytes for ever; a test may download a quarter of a gigabyte.
  socket.removeAllListeners('data');

  const frames: Frame[] = [];
  const streams = new Map<number, H2Stream>();
  const windows = new Map<number, number>([[0, 65_535]]);
  const reader = new FrameReader();
  let nextId = 1;
  let goaway: number | undefined;
  let initialWindow = 65_535;
  let used = 0;
  let headless: Frame | undefined;

  const streamOf = (id: number): H2Stream => {
    const known = streams.get(id) ?? { id, heads: [], bytes: 0, chunks: [], ended: false, reset: undefined };
    streams.set(id, known);
    return known;
  };
  const giveBack = (id: number, bytes: number): void => {
    if (!refill) return;
    used += bytes;
    if (!streamOf(id).ended) socket.write(windowUpdate(id, bytes));
    if (used < 1 << 19) return;
    socket.write(windowUpdate(0, used));
    used = 0;
  };
  const takeData = ({ stream, payload, flags }: Frame): void => {
    const known = streamOf(stream);
    known.bytes += payload.length;
    if (onData !== undefined) onData(stream, payload);
    else if (payload.length > 0) known.chunks.push(Buffer.from(payload));
    if (flags & Flag.endStream) known.ended = true;
    if (payload.length > 0) giveBack(stream, payload.length);
  };
  const takeHeaders = (got: Frame): void => {
    const whole =
      headless === undefined ? got : { ...headless, payload: Buffer.concat([headless.payload, got.payload]) };
    headless = got.flags & Flag.endHeaders ? undefined : whole;
    if (headless !== undefined) return;
    const known = streamOf(whole.stream);
    known.heads.push(readHeaderBlock(whole.payload));
    if (whole.flags & Flag.endStream) known.ended = true;
  };
  const takeSettings = ({ flags, payload }: Frame): void => {
    if (flags & Flag.ack) return;
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== Setting.initialWindowSize) continue;
      const before = initialWindow;
      initialWindow = payload.readUInt32BE(at + 2);
      // RFC 9113 section 6.9.2: the windows of open streams change with it.
      for (const [id, window] of windows) if (id !== 0) windows.set(id, window + initialWindow - before);
    }
    if (acknowledge) socket.write(SETTINGS_ACK);
  };
  const take = (got: Frame): void => {
    if (got.type === Type.data) return takeData(got);
    frames.push({ ...got, payload: Buffer.from(got.payload) });
    if (got.type === Type.headers || got.type === Type.continuation) return takeHeaders(got);
    if (got.type === Type.settings) return takeSettings(got);
    if (got.type === Type.rstStream) streamOf(got.stream).reset = got.payload.readUInt32BE(0);
    if (got.type === Type.goaway) goaway = got.payload.readUInt32BE(4);
    if (got.type === Type.ping && !(got.flags & Flag.ack) && acknowledge) {
      socket.write(frame(Type.ping, Flag.ack, 0, got.payload));
    }
    if (got.type === Type.windowUpdate) {
      windows.set(got.stream, (windows.get(got.stream) ?? initialWindow) + got.payload.readUInt32BE(0));
    }
  };
  const feed = (chunk: Buffer): void => {
    for (const got of reader.push(chunk)) take(got);
  };
  if (early.length > 0) feed(early);
  socket.on('data', feed);

  const client: H2Client = {
    raw,
    frames,
    get goaway() {
      return goaway;
    },
    get ended() {
      return raw.ended;
    },
    get peerWindow() {
      return initialWindow;
    },
    send: (...bytes) =>
      void socket.write(bytes.length === 1 && bytes[0] !== undefined ? bytes[0] : Buffer.concat(bytes)),
    nextId() {
      nextId += 2;
      return nextId - 2;
    },
    request(fields, body) {
      const id = client.nextId();
      client.send(headers(id, fields, body === undefined));
      if (body !== undefined) client.send(data(id, body, true));
      return id;
    },
    async upload(id, chunks) {
      const stopped = (): boolean => streamOf(id).reset !== undefined || raw.ended;
      for (const chunk of chunks) {
        for (let at = 0; at < chunk.length; ) {
          const most = (): number => Math.min(windows.get(0) ?? 0, windows.get(id) ?? initialWindow, 16_384);
          if (most() <= 0) await client.until(() => most() > 0 || stopped(), 'a window to send into');
          if (stopped()) return false;
          const piece = chunk.subarray(at, at + most());
          at += piece.length;
          windows.set(0, (windows.get(0) ?? 0) - piece.length);
          windows.set(id, (windows.get(id) ?? initialWindow) - piece.length);
          if (!socket.write(data(id, piece))) await drained(socket);
        }
      }
      socket.write(data(id, '', true));
      return true;
    },
    stream: streamOf,
    status(id) {
      const text = last(streamOf(id).heads.slice(0, 1 + interims(streamOf(id))))?.find(
        ([name]) => name === ':status',
      )?.[1];
      return text === undefined ? undefined : Number(text);
    },
    body: (id) => Buffer.concat(streamOf(id).chunks),
    async over(id, deadlineMs) {
      const known = streamOf(id);
      await client.until(
        () => known.ended || known.reset !== undefined || raw.ended,
        `the end of stream ${id}`,
        deadlineMs,
      );
      return known;
    },
    async until(holds, what, deadlineMs = patienceMs) {
      await eventually(() => Boolean(holds()), { what, deadlineMs, everyMs: 5 });
    },
    destroy: () => raw.destroy(),
  };
  const table = [Setting.headerTableSize, 0] as const;
  client.send(PREFACE, settings([table, ...wanted]), ...(refill ? [windowUpdate(0, 1 << 24)] : []));
  return client;
}

/** How many heads before the answer's own are interim. */
function interims({ heads }: H2Stream): number {
  let count = 0;
  while (count < heads.length - 1 && heads[count]?.some(([name, value]) => name === ':status' && value.startsWith('1')))
    count++;
  return count;
}

function last<T>(list: readonly T[]): T | undefined {
  return list[list.length - 1];
}

function drained(socket: RawClient['socket']): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.once('drain', done);
    socket.once('close', done);
  });
}
