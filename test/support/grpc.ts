// A gRPC service like that of gRPC's interop tests, and its client, both of @grpc/grpc-js, without generated code: messages
// are a line of JSON that says what to do, and a payload.

import { createHash } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';

export const ECHO_INITIAL = 'x-grpc-test-echo-initial';
export const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

/** What a message asks for. */
export type Order = {
  /** Bytes of each answer, in order. */
  sizes?: number[];
  /** Instead of a good end. */
  status?: { code: number; details: string };
  /** Send the payload back. */
  echo?: boolean;
  /** Never answer. */
  sleep?: boolean;
};

export function message(order: Order, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(order)}\n`), payload]);
}

function parse(bytes: Buffer): { order: Order; payload: Buffer } {
  const end = bytes.indexOf(10);
  return { order: JSON.parse(bytes.toString('utf8', 0, end)) as Order, payload: bytes.subarray(end + 1) };
}

export function sha256(...chunks: Buffer[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

function method(name: string, requestStream: boolean, responseStream: boolean) {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/test.Interop/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const served = {
  Empty: method('Empty', false, false),
  Unary: method('Unary', false, false),
  Input: method('Input', true, false),
  Output: method('Output', false, true),
  Duplex: method('Duplex', true, true),
} satisfies ServiceDefinition;
const known: ServiceDefinition = {
  ...served,
  Unimplemented: method('Unimplemented', false, false),
  UnimplementedInput: method('UnimplementedInput', true, false),
};

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

// ---- the client

const InteropClient = makeGenericClientConstructor(known, 'Interop');
type Constructor = typeof InteropClient;
export type InteropClient = InstanceType<Constructor> & Client;

export function openGrpcClient(port: number, ca: string): InteropClient {
  return new InteropClient(`localhost:${port}`, credentials.createSsl(Buffer.from(ca)), {
    'grpc.max_receive_message_length': -1,
    'grpc.enable_retries': 0,
  });
}

/** How a call ended, and all that it brought. */
export type Outcome = {
  code: number;
  details: string;
  messages: Buffer[];
  initial: Metadata | undefined;
  trailing: Metadata;
};

type Events = {
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  on(event: 'metadata', listener: (metadata: Metadata) => void): unknown;
  on(event: 'status', listener: (status: { code: number; details: string; metadata: Metadata }) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
};

/** Resolves with the status, which every call of grpc-js has at its end. */
export function outcomeOf(call: object, reads: boolean): Promise<Outcome> {
  const events = call as Events;
  const messages: Buffer[] = [];
  let initial: Metadata | undefined;
  if (reads) events.on('data', (bytes) => messages.push(bytes));
  events.on('metadata', (metadata) => {
    initial = metadata;
  });
  events.on('error', () => {});
  return new Promise((resolve) => {
    events.on('status', ({ code, details, metadata }) =>
      resolve({ code, details, messages, initial, trailing: metadata }),
    );
  });
}

type Failure = Error | null;
export type WritableCall = {
  write(bytes: Buffer): boolean;
  end(): void;
  cancel(): void;
  once(event: 'drain', then: () => void): void;
};
export type ReadableCall = {
  pause(): void;
  resume(): void;
  cancel(): void;
  on(event: 'data', then: (bytes: Buffer) => void): void;
  once(event: 'data', then: (bytes: Buffer) => void): void;
};

export interface GrpcCalls {
  unary(
    name: string,
    bytes: Buffer,
    metadata?: Metadata,
    options?: object,
  ): Promise<Outcome & { answer: Buffer | undefined }>;
  input(name?: string): WritableCall & { answer: Promise<Buffer | undefined> };
  output(bytes: Buffer, options?: object): ReadableCall;
  duplex(metadata?: Metadata, options?: object): WritableCall & ReadableCall;
  close(): void;
}

/** The four kinds of call, by the name of the method. */
export function calls(client: InteropClient): GrpcCalls {
  const start = (name: string, ...args: unknown[]): object =>
    (client[name] as unknown as (...args: unknown[]) => object).apply(client, args);
  const answered = (name: string, ...args: unknown[]): { call: object; answer: Promise<Buffer | undefined> } => {
    let call: object = {};
    const answer = new Promise<Buffer | undefined>((resolve) => {
      call = start(name, ...args, (error: Failure, value?: Buffer) => resolve(error === null ? value : undefined));
    });
    return { call, answer };
  };
  return {
    async unary(name, bytes, metadata = new Metadata(), options = {}) {
      const { call, answer } = answered(name, bytes, metadata, options);
      const outcome = await outcomeOf(call, false);
      return { ...outcome, answer: await answer };
    },
    input(name = 'Input') {
      const { call, answer } = answered(name);
      return Object.assign(call as WritableCall, { answer });
    },
    output: (bytes, options = {}) => start('Output', bytes, new Metadata(), options) as ReadableCall,
    duplex: (metadata = new Metadata(), options = {}) =>
      start('Duplex', metadata, options) as WritableCall & ReadableCall,
    close: () => client.close(),
  };
}

export { Metadata, status };
