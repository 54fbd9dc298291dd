// What the app is held to, and how it is called. It opens and decides nothing.

import type { Clock } from '../exchange.ts';
import type { UpstreamAddress } from '../net/addresses.ts';
import type { Account } from '../net/budget.ts';
import type { Deadlines } from '../net/deadlines.ts';
import type { ShareOptions } from './shares.ts';

/** Time-outs in milliseconds, sizes in bytes. */
export type ForwardLimits = {
  readonly connectTimeoutMs: number;
  readonly upstreamTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Connections to the app at the same time, upgraded ones included. */
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly maxFields: number;
};

/** What every forwarder is made of. */
export type ForwarderOptions = {
  readonly upstream: UpstreamAddress;
  readonly limits: ForwardLimits;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** A defect of ours on a connection to the app that carried no exchange. */
  readonly crashed: (error: unknown) => void;
  /** How much of maxConnections one client may have while others wait; undefined: all. */
  readonly share?: ShareOptions | undefined;
  /** For what is held for the app, on connections that many clients share. */
  readonly account: Account;
};

/** The app's answer may have a larger head than a request: cookies and policies are set there. */
export const ANSWER_HEAD_BYTES = 32 * 1024;
/** Of HTTP/2 to the app; each of them carries many streams. */
export const MAX_SESSIONS = 16;
/** More interim answers to one request than any app sends. */
export const MAX_INTERIM = 32;

/** `host:port` of the app, for messages and for requests that name no host. */
export function upstreamName(upstream: UpstreamAddress): string {
  if (upstream.kind === 'unix') return `unix:${upstream.path}`;
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host;
  return `${host}:${upstream.port}`;
}
