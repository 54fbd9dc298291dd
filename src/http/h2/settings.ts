// SETTINGS (RFC 9113 section 6.5): what a peer may say there, and what it has said.

import { Code, FIRST_WINDOW, MAX_FRAME_BYTES, MAX_WINDOW, readUint32, Setting } from './frames.ts';

export type SettingsList = readonly (readonly [id: (typeof Setting)[keyof typeof Setting], value: number])[];

/** Within which a peer has to acknowledge our SETTINGS (RFC 9113 section 6.5.3 leaves it open). */
export const SETTINGS_TIMEOUT_MS = 10_000;

/** Values in one frame; there are eight kinds. */
const MAX_VALUES = 32;
const VALUE_BYTES = 6;

export class PeerSettings {
  initialWindow = FIRST_WINDOW;
  tableBytes = 4096;
  maxStreams = Number.POSITIVE_INFINITY;
  takesConnect = false;

  /** Takes the values of a frame, the last of a kind counts. Returns what is wrong with it. */
  read(bytes: Uint8Array, from: number, to: number): Code {
    if ((to - from) % VALUE_BYTES !== 0) return Code.frameSize;
    if (to - from > MAX_VALUES * VALUE_BYTES) return Code.enhanceYourCalm;
    for (let at = from; at < to; at += VALUE_BYTES) {
      const code = this.#set(((bytes[at] as number) << 8) | (bytes[at + 1] as number), readUint32(bytes, at + 2));
      if (code !== Code.none) return code;
    }
    return Code.none;
  }

  #set(id: number, value: number): Code {
    switch (id) {
      case Setting.headerTableSize:
        this.tableBytes = value;
        return Code.none;
      case Setting.enablePush:
        return value > 1 ? Code.protocol : Code.none;
      case Setting.maxConcurrentStreams:
        this.maxStreams = value;
        return Code.none;
      case Setting.initialWindowSize:
        this.initialWindow = value;
        return value > MAX_WINDOW ? Code.flowControl : Code.none;
      case Setting.maxFrameSize:
        // We never send larger ones than everybody takes.
        return value < MAX_FRAME_BYTES || value > 0xffffff ? Code.protocol : Code.none;
      case Setting.enableConnectProtocol:
        // RFC 8441 section 3: never taken back.
        if (value > 1 || (value === 0 && this.takesConnect)) return Code.protocol;
        this.takesConnect = value === 1;
        return Code.none;
      default:
        return Code.none;
    }
  }
}
