// The client of the gRPC service of grpc.ts, of @grpc/grpc-js: its four kinds of call, and how each ended.

import { type Client, credentials, Metadata, makeGenericClientConstructor } from '@grpc/grpc-js';
import { known } from './grpc.ts';

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
