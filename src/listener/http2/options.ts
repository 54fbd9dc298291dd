// What a connection of HTTP/2 is given: as one of HTTP/1.x, and who is told why it was ended.

import { Code } from '../../http/h2/frames.ts';
import type { Http1Options } from '../http1/options.ts';

/** Why a session was ended that its client would have gone on with. */
export type SessionReason = 'protocol_error' | 'flood' | 'header_timeout';

export type Http2Options = Http1Options & {
  /** Called at most once for each session. */
  readonly sessionFailed: (reason: SessionReason, detail: string, remoteAddress: string) => void;
};

/** `late`: what has begun was not whole in time. */
export function reasonOf(code: Code, late: boolean): SessionReason {
  if (code !== Code.enhanceYourCalm) return 'protocol_error';
  return late ? 'header_timeout' : 'flood';
}
