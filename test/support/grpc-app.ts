// The gRPC service of grpc.ts, as an app of @grpc/grpc-js.

import type { EventEmitter } from 'node:events';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { parse, served, sha256 } from './grpc.ts';

export const ECHO_INITIAL = 'x-grpc-test-echo-initial';
export const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

export interface GrpcApp {
  readonly port: number;
  readonly server: Server;
  /** Calls that ended as cancelled, as the app saw them. */
  readonly cancelled: number;
  /** The deadline of every call, in milliseconds from its start; undefined where there was none. */
  readonly deadlines: readonly (number | undefined)[];
  /** GOAWAY on every session; what is in flight finishes. The port stays open. */
  drain(): void;
  close(): void;
}

export async function openGrpcApp(options: Record<string, number> = {}, port = 0): Promise<GrpcApp> {
  const server = new Server({ 'grpc.max_receive_message_length': -1, ...options });
  const seen = { cancelled: 0, deadlines: [] as (number | undefined)[] };
  type Call = ServerUnaryCall<Buffer, Buffer> | ServerReadableStream<Buffer, Buffer> | Streaming;
  const begin = (call: Call): Metadata => {
    (call as EventEmitter).on('cancelled', () => seen.cancelled++);
    const deadline = call.getDeadline();
    const at = typeof deadline === 'number' ? deadline : deadline.getTime();
    seen.deadlines.push(Number.isFinite(at) ? at - Date.now() : undefined);
    const initial = call.metadata.get(ECHO_INITIAL);
    if (initial.length > 0) {
      const echoed = new Metadata();
      for (const value of initial) echoed.add(ECHO_INITIAL, value);
      call.sendMetadata(echoed);
    }
    const trailing = new Metadata();
    for (const value of call.metadata.get(ECHO_TRAILING)) trailing.add(ECHO_TRAILING, value);
    return trailing;
  };
  server.addService(served, {
    Empty: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
      answer(null, Buffer.alloc(0), begin(call)),
    Unary(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      const trailing = begin(call);
      const { order, payload } = parse(call.request);
      if (order.sleep) return;
      if (order.status !== undefined) answer({ ...order.status, metadata: trailing }, null);
      else answer(null, order.echo ? payload : Buffer.alloc(order.sizes?.[0] ?? 0, 7), trailing);
    },
    Input(call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      const trailing = begin(call);
      const payloads: Buffer[] = [];
      call.on('data', (bytes: Buffer) => payloads.push(parse(bytes).payload));
      call.on('end', () => answer(null, Buffer.from(sha256(...payloads)), trailing));
    },
    Output(call: ServerWritableStream<Buffer, Buffer>) {
      const trailing = begin(call);
      const { order } = parse(call.request);
      for (const size of order.sizes ?? []) call.write(Buffer.alloc(size, 7));
      if (!order.sleep) call.end(trailing);
    },
    Duplex(call: Streaming) {
      const trailing = begin(call);
      call.on('data', (bytes: Buffer) => {
        const { order, payload } = parse(bytes);
        if (order.status !== undefined) return void call.emit('error', { ...order.status, metadata: trailing });
        if (order.echo) return pushBack(call, payload);
        for (const size of order.sizes ?? []) call.write(Buffer.alloc(size, 7));
      });
      call.on('end', () => call.end(trailing));
    },
  });
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error === null ? resolve(at) : reject(error),
    ),
  );
  return {
    port: bound,
    server,
    get cancelled() {
      return seen.cancelled;
    },
    deadlines: seen.deadlines,
    drain: () => server.drain(`127.0.0.1:${bound}`, 60_000),
    close: () => server.forceShutdown(),
  };
}

type Streaming = ServerDuplexStream<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

/** With back-pressure: what is echoed is not read faster than the client takes it. */
function pushBack(call: Streaming, payload: Buffer): void {
  if (call.write(payload) || !('pause' in call)) return;
  call.pause();
  call.once('drain', () => call.resume());
}
