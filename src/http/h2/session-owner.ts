// What a session of HTTP/2 is given by whoever it belongs to, the listening or the sending end, and what it asks of it.

import type { Account } from '../../net/budget.ts';
import type { Field } from '../hpack/field.ts';
import type { WindowOptions } from './connection-window.ts';
import type { WriterOwner } from './frame-writer.ts';
import type { Code } from './frames.ts';
import type { SettingsList } from './settings.ts';

export type SessionOptions = {
  /** The peer is the client: it says the preface, and begins streams. */
  readonly server: boolean;
  readonly settings: SettingsList;
  readonly window: WindowOptions;
  /** To whom what is given to the socket, and the window, is counted. What a stream holds is its owner's. */
  readonly account: Account;
  /** As in SETTINGS_MAX_HEADER_LIST_SIZE, and how many bytes a header block may have before it is decoded. */
  readonly maxListBytes: number;
  readonly maxBlockBytes: number;
};

/** What a peer may do now and then, and not all the time. */
export const Cost = {
  /** A stream that it resets, or that has to be reset for what it did. */
  reset: 0,
  /** A frame that has to be answered: SETTINGS, PING. */
  answered: 1,
  /** A frame that carries nothing. */
  idle: 2,
} as const;
export type Cost = (typeof Cost)[keyof typeof Cost];

export interface SessionOwner extends WriterOwner {
  /** The peer begins a stream: `fields` are good during the call. Its stream is to be made by open(), or it is refused. */
  opened(id: number, fields: readonly Field[], overflowed: boolean, ended: boolean): void;
  /** The peer's SETTINGS have come, at first or again: `peer` of the session has them. */
  settings?(): void;
  /** Our SETTINGS have been acknowledged. */
  acknowledged?(): void;
  /** A ping of ours came back, with the first byte of its payload. */
  pong?(mark: number): void;
  /** The peer will go. */
  goaway(lastId: number, code: number): void;
  /** What waits for its takers has used up all that its client may have: some of it has to go. False: nothing can. */
  choked?(): boolean;
  /** False: it was too much. */
  spend(cost: Cost): boolean;
  /** The connection is over for what the peer did; it has been told. */
  failed(code: Code, words: string): void;
}
