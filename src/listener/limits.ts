// The limits of client connections, and the figures among them that are no options.

/** Times in milliseconds, sizes in bytes. */
export type Limits = {
  readonly handshakeTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly clientTimeoutMs: number;
  /** Bytes a second, averaged over clientTimeoutMs; 0: none. */
  readonly minBodyRate: number;
  readonly idleTimeoutMs: number;
  /** 0: connections may grow old. */
  readonly maxConnectionAgeMs: number;
  readonly maxHeaderBytes: number;
  /** A request with more fields than this is refused, never cut off (CVE-2026-58044). */
  readonly maxFields: number;
  /** How long what a refused client still sends is read and dropped, so that it can read why. */
  readonly lingerMs: number;
};

export const MAX_FIELDS = 256;
export const LINGER_MS = 2000;
