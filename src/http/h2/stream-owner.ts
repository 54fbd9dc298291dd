// What a stream of HTTP/2 tells whoever it belongs to: an exchange with a client, or one with the app.

import type { Account } from '../../net/budget.ts';
import type { Field } from '../hpack/field.ts';
import type { Code } from './frames.ts';
import type { BodyTaker } from './incoming.ts';

export interface StreamOwner extends BodyTaker {
  /** To whom what the stream holds is counted. */
  readonly account: Account;
  /** A field list behind the first one: `fields` are good during the call. `ended`: the peer sends nothing after it. */
  fields(fields: readonly Field[], overflowed: boolean, ended: boolean): void;
  /** Bytes of a DATA frame have come; they may be held before body() gives them. */
  received(bytes: number): void;
  /** Some of what waited was sent. */
  progressed(): void;
  /** All that waited was sent: more may come. */
  drained(): void;
  /** Our direction is over: its last frame is on its way. */
  sent(): void;
  /** It is about to be lost, but the peer had ended its direction before. True: what is held of that is still wanted. */
  keeps?(code: Code): boolean;
  /** The peer reset the stream, or did what it must not do with it, or the connection is gone. */
  lost(code: Code): void;
}
