// The gRPC question: grpc.health.v1.Health/Check over HTTP/2 in clear text, as the kubelet asks it. Only SERVING is healthy
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).

import { type Probe, serviceOf } from '../../config/probe.ts';
import { Code, FIRST_WINDOW, Setting } from '../../http/h2/frames.ts';
import { H2Session } from '../../http/h2/session.ts';
import type { SessionOptions, SessionOwner } from '../../http/h2/session-owner.ts';
import type { H2Stream } from '../../http/h2/stream.ts';
import type { StreamOwner } from '../../http/h2/stream-owner.ts';
import type { Field } from '../../http/hpack/field.ts';
import { Budget } from '../../net/budget.ts';
import { guarded } from '../../net/guard.ts';
import { dialApp } from './dial.ts';
import { Ended, OK, unreachable, type Verdict } from './verdict.ts';

/** A question holds no more than its answer may have, so it needs no limit. */
const ACCOUNT = new Budget({ bytes: 0, percent: 0 }).shared;
const SESSION: SessionOptions = {
  server: false,
  settings: [[Setting.enablePush, 0]],
  window: { first: FIRST_WINDOW, most: FIRST_WINDOW, spare: 0 },
  account: ACCOUNT,
  maxListBytes: 16_384,
  maxBlockBytes: 65_536,
};
/** Frames that cost an answer or carry nothing, in one question. */
const MAX_IDLE_FRAMES = 100;
/** A HealthCheckResponse is 2 bytes, before it the 5 of every message; unknown fields may follow. */
const MAX_ANSWER_BYTES = 1024;
const FRAME_HEAD_BYTES = 5;
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;

export async function askGrpc(probe: Probe, signal: AbortSignal): Promise<Verdict> {
  const socket = await dialApp(probe.port, signal);
  try {
    return await new Promise((resolve, reject) => {
      const check = new HealthCheck(resolve, reject);
      const session = new H2Session(socket, check, SESSION);
      const read = guarded(check, (chunk: Buffer) => session.read(chunk));
      const closed = guarded(check, () => session.close(Code.cancel));
      socket.on('data', read).on('end', closed).on('close', closed);
      check.begin(session.open(1), probe);
    });
  } finally {
    socket.destroy();
  }
}

class HealthCheck implements SessionOwner, StreamOwner {
  readonly #resolve: (verdict: Verdict) => void;
  readonly #reject: (error: unknown) => void;
  readonly account = ACCOUNT;
  readonly #body: Buffer[] = [];
  #bytes = 0;
  #idleFrames = 0;
  #httpStatus = '';
  #grpcStatus: string | undefined = undefined;

  constructor(resolve: (verdict: Verdict) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(stream: H2Stream, probe: Probe): void {
    stream.attach(this);
    stream.head(undefined, [
      ...[':method', 'POST', ':scheme', 'http', ':authority', `localhost:${probe.port}`],
      ...[':path', '/grpc.health.v1.Health/Check', 'te', 'trailers', 'content-type', 'application/grpc'],
      ...['user-agent', 'kube-probe/tls-sidecar'],
    ]);
    stream.write(requestOf(serviceOf(probe)));
    stream.finish(undefined);
    stream.resume();
  }

  // ---- StreamOwner

  fields(fields: readonly Field[], overflowed: boolean): void {
    if (overflowed) return this.#fail('answered with too many fields');
    for (const { name, value } of fields) {
      // Both are told: numbers, and nothing else that the app could put there.
      if (name === ':status' && /^\d{3}$/.test(value)) this.#httpStatus = value;
      if (name === 'grpc-status') this.#grpcStatus = /^\d{1,3}$/.test(value) ? value : 'that is no number';
    }
  }

  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_ANSWER_BYTES) this.#fail('answered with more than a health check has');
  }

  body(chunk: Buffer): void {
    if (this.#bytes <= MAX_ANSWER_BYTES) this.#body.push(Buffer.from(chunk));
  }

  bodyEnded(): void {
    this.#resolve(this.#verdict());
  }

  exceeded(): void {}
  progressed(): void {}
  drained(): void {}
  sent(): void {}

  lost(): void {
    this.#fail('ended the connection or the call');
  }

  // ---- SessionOwner

  opened(): void {}
  goaway(): void {}
  written(): void {}

  spend(): boolean {
    return ++this.#idleFrames <= MAX_IDLE_FRAMES;
  }

  failed(_code: Code, words: string): void {
    this.#fail(`does not speak HTTP/2 in clear text (${words})`);
  }

  crashed(error: unknown): void {
    this.#reject(error);
  }

  // ----

  #fail(words: string): void {
    this.#reject(new Ended(unreachable(`the app ${words}`)));
  }

  #verdict(): Verdict {
    const status = this.#grpcStatus;
    if (status === undefined)
      return unreachable(`the app answered HTTP status ${this.#httpStatus} without grpc-status`);
    // 12: it knows no such service.
    if (status !== '0')
      return unreachable(
        `the app answered grpc-status ${status}${status === '12' ? ': it has no grpc.health.v1.Health' : ''}`,
      );
    const serving = statusOf(Buffer.concat(this.#body));
    if (serving === SERVING) return OK;
    return { status: 503, text: `the app answered ${STATUSES[serving] ?? 'an unknown status'}` };
  }
}

/** A HealthCheckRequest: field 1 is the service, as text with its length; left out for the server as a whole. */
function requestOf(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Field 1 of a HealthCheckResponse, a number; 0 where it is left out, as protobuf has it. */
function statusOf(bytes: Buffer): number {
  const compressed = bytes[0] === 1;
  const message = bytes.subarray(
    FRAME_HEAD_BYTES,
    FRAME_HEAD_BYTES + (bytes.length < FRAME_HEAD_BYTES ? 0 : bytes.readUInt32BE(1)),
  );
  if (compressed || bytes.length < FRAME_HEAD_BYTES) return -1;
  if (message.length === 0) return 0;
  return message[0] === 0x08 ? (message[1] ?? -1) : -1;
}
