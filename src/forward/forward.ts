// Who carries an exchange to the app. Forwarders share the rules on answers (answer.ts); they differ in how they talk
// to the app. A forwarder always ends in one of three ways: it answers, it says fail(), or the exchange is gone.

import type { Exchange, Failures } from '../exchange.ts';

export interface Forwarder {
  forward(exchange: Exchange, failures: Failures): void;
  /** Closes what is idle; connections that carry an exchange close after it. */
  close(): void;
}

/** Where the app is: an address or a unix socket. */
export type Upstream =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly h2c?: true }
  | { readonly kind: 'unix'; readonly path: string };

/** Time-outs in milliseconds, sizes in bytes. */
export type ForwardLimits = {
  readonly connectTimeoutMs: number;
  readonly upstreamTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly maxFields: number;
};

/** The app's answer may have a larger head than a request: cookies and policies are set there. */
export const ANSWER_HEAD_BYTES = 32 * 1024;
/** More interim answers to one request than any app sends. */
export const MAX_INTERIM = 32;

/** `host:port` of the app, for messages and for requests that name no host. */
export function upstreamName(upstream: Upstream): string {
  if (upstream.kind === 'unix') return `unix:${upstream.path}`;
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host;
  return `${host}:${upstream.port}`;
}
