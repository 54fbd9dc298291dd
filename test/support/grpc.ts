// The messages and the methods of a gRPC service like that of gRPC's interop tests, without generated code: a message is a
// line of JSON that says what to do, and a payload.

import { createHash } from 'node:crypto';
import type { ServiceDefinition } from '@grpc/grpc-js';

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

export function parse(bytes: Buffer): { order: Order; payload: Buffer } {
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

export const served = {
  Empty: method('Empty', false, false),
  Unary: method('Unary', false, false),
  Input: method('Input', true, false),
  Output: method('Output', false, true),
  Duplex: method('Duplex', true, true),
} satisfies ServiceDefinition;
/** The client knows two methods more than the app. */
export const known: ServiceDefinition = {
  ...served,
  Unimplemented: method('Unimplemented', false, false),
  UnimplementedInput: method('UnimplementedInput', true, false),
};
