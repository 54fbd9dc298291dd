// A client that has as much held for it as it can: uploads on all streams of a connection, as far as the windows let it, in
// frames of any size; it obeys the protocol in everything.

import { connectH2, fieldsOf, type H2Client } from './h2-client.ts';
import { data, headers, Type } from './h2-frames.ts';

export type HoarderOptions = {
  readonly port: number;
  readonly streams: number;
  /** Of each body, at the most. */
  readonly bytes: number;
  /** Of each DATA frame. */
  readonly piece: number;
  readonly localAddress?: string;
  readonly fields?: Readonly<Record<string, string>>;
};

export interface Hoarder {
  readonly client: H2Client;
  readonly ids: readonly number[];
  /** Of bodies, so far. */
  readonly sent: number;
  /** Sends what the windows let it send now; false: nothing. */
  pour(): boolean;
}

/** Frames of one write fill a few TLS records. */
const BATCH_BYTES = 65_536;

export async function openHoarder(options: HoarderOptions): Promise<Hoarder> {
  const { streams, bytes, piece, fields } = options;
  const from = options.localAddress === undefined ? {} : { localAddress: options.localAddress };
  const client = await connectH2({ port: options.port, ...from });
  const ids = Array.from({ length: streams }, () => client.nextId());
  const body = Buffer.alloc(piece, 'x');
  const sentOn = new Map<number, number>(ids.map((id) => [id, 0]));
  const windows = new Map<number, number>([[0, 65_535], ...ids.map((id) => [id, 65_535] as const)]);
  let seen = 0;
  let sent = 0;
  let turn = 0;
  for (const id of ids) client.send(headers(id, fieldsOf({ ':method': 'POST', ':path': '/upload', ...fields }), false));

  const look = (): void => {
    for (; seen < client.frames.length; seen++) {
      const frame = client.frames[seen];
      if (frame?.type !== Type.windowUpdate) continue;
      windows.set(frame.stream, (windows.get(frame.stream) ?? 0) + frame.payload.readUInt32BE(0));
    }
  };
  const next = (): Buffer | undefined => {
    for (let tried = 0; tried < ids.length; tried++) {
      const id = ids[turn++ % ids.length] as number;
      const { heads, reset } = client.stream(id);
      const left = bytes - (sentOn.get(id) ?? 0);
      const length = Math.min(piece, left, windows.get(id) ?? 0, windows.get(0) ?? 0);
      if (length <= 0 || heads.length > 0 || reset !== undefined) continue;
      for (const of of [0, id]) windows.set(of, (windows.get(of) ?? 0) - length);
      sentOn.set(id, (sentOn.get(id) ?? 0) + length);
      sent += length;
      return data(id, length === piece ? body : body.subarray(0, length));
    }
    return undefined;
  };
  return {
    client,
    ids,
    get sent() {
      return sent;
    },
    pour() {
      look();
      const batch: Buffer[] = [];
      let size = 0;
      while (size < BATCH_BYTES && !client.ended) {
        const frame = next();
        if (frame === undefined) break;
        batch.push(frame);
        size += frame.length;
      }
      if (size > 0) client.send(Buffer.concat(batch));
      return size > 0;
    },
  };
}
