// A gRPC call as the bench makes it, and the check that it comes through a lane: message, trailers and status.
import { type ClientHttp2Stream, connect } from 'node:http2';

/** Where the peers' configurations look for gRPC. */
export const grpcPath = '/bench.Echo/Call';

const messageBytes = 100;
const prefixBytes = 5;

/** Asks bench/peers/app for so many messages of this size; itself 100 bytes. */
export function grpcMessage(messages: number, size: number): Buffer {
  const framed = Buffer.alloc(prefixBytes + messageBytes);
  framed.writeUInt32BE(messageBytes, 1);
  framed.writeUInt32BE(messages, prefixBytes);
  framed.writeUInt32BE(size, prefixBytes + 4);
  return framed;
}

/** Why a call does not come through; undefined where it does. */
export function whyNoGrpc(port: number, secure: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = connect(`${secure ? 'https' : 'http'}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    const end = (why: string | undefined) => {
      clearTimeout(timer);
      session.destroy();
      resolve(why === undefined ? undefined : `no gRPC: ${why}`);
    };
    const timer = setTimeout(() => end('no answer'), 5000);
    session.on('error', ({ message }) => end(message));
    const fields = { 'content-type': 'application/grpc', te: 'trailers' };
    const call = session.request({ ':method': 'POST', ':path': grpcPath, ...fields });
    call.on('error', ({ message }) => end(message));
    call.end(grpcMessage(2, messageBytes));
    judge(call, end);
  });
}

function judge(call: ClientHttp2Stream, end: (why: string | undefined) => void): void {
  let status = '';
  let bytes = 0;
  call.on('response', (head) => {
    status = String(head['grpc-status'] ?? '');
    if (head[':status'] !== 200) end(`status ${head[':status']}`);
  });
  call.on('trailers', (trailers) => {
    status = String(trailers['grpc-status'] ?? '');
  });
  call.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  call.on('end', () => {
    const expected = 2 * (prefixBytes + messageBytes);
    if (status === '0' && bytes === expected) end(undefined);
    else end(`grpc-status ${status || 'missing'}, ${bytes} of ${expected} bytes`);
  });
}
