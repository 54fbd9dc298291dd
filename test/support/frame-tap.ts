// Stands between the sidecar and an app that speaks HTTP/2 in clear text, and writes down the frames of both directions as
// they are on the wire. It can break the connection, too.

import { connect, createServer, type Socket } from 'node:net';

export type Frame = {
  readonly from: 'sidecar' | 'app';
  readonly connection: number;
  readonly type: string;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
};

export const END_STREAM = 1;
const TYPES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
];
const PREFACE_BYTES = 24;

export interface FrameTap {
  readonly port: number;
  readonly frames: readonly Frame[];
  readonly connections: number;
  /** Resets every connection. */
  cut(): void;
  close(): void;
}

export async function openFrameTap(appPort: number): Promise<FrameTap> {
  const frames: Frame[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((sidecar) => {
    const connection = connections++;
    const app = connect(appPort, '127.0.0.1');
    for (const socket of [sidecar, app]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        sidecar.destroy();
        app.destroy();
      });
    }
    sidecar.on('data', reader('sidecar', connection, PREFACE_BYTES, frames));
    app.on('data', reader('app', connection, 0, frames));
    sidecar.pipe(app);
    app.pipe(sidecar);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    frames,
    get connections() {
      return connections;
    },
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function reader(from: Frame['from'], connection: number, skip: number, into: Frame[]): (bytes: Buffer) => void {
  let left = skip;
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const skipped = Math.min(left, rest.length);
    left -= skipped;
    rest = rest.subarray(skipped);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      into.push({
        from,
        connection,
        type: TYPES[rest[3] as number] ?? `type ${rest[3]}`,
        flags: rest[4] as number,
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: rest.subarray(9, end),
      });
      rest = rest.subarray(end);
    }
  };
}
