// The words and numbers of HTTP/2's frames (RFC 9113 sections 4 to 7, RFC 8441, RFC 9218), for both ends.

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  priorityUpdate: 0x10,
} as const;

export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

export const Code = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** Of the head of a frame. */
export const HEAD_BYTES = 9;
/** SETTINGS_MAX_FRAME_SIZE as it is where nobody says anything else. */
export const MAX_FRAME_BYTES = 16_384;
/** The window that each side has before anybody says anything else, and the largest one. */
export const FIRST_WINDOW = 65_535;
export const MAX_WINDOW = 0x7fffffff;
/** A DATA frame and its head fill one TLS record. */
export const DATA_BYTES = MAX_FRAME_BYTES - HEAD_BYTES;

/** What a client says first (RFC 9113 section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Four bytes without the first bit, which is reserved. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & MAX_WINDOW;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  const low = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  return high * 0x10000 + low;
}
