// Every server-side time-out and cap in one object, with the figures that are no options.

/** Times in milliseconds, sizes in bytes. */
export type Limits = {
  readonly handshakeTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly clientTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  /** More fields than this are refused, never cut off (CVE-2026-58044). */
  readonly maxFields: number;
  /** How long what a refused client still sends is read and dropped, so that it can read why. */
  readonly lingerMs: number;
};

export const MAX_FIELDS = 256;
export const LINGER_MS = 2000;
/** How often deadlines are looked at: every time-out is exact to this. */
export const SWEEP_MS = 250;
