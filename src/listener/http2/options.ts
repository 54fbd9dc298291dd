// What a connection of HTTP/2 is given: as one of HTTP/1.x, and who is told why it was ended.

import type { Http1Options } from '../http1/options.ts';

/** Why a session was ended that its client would have gone on with. */
export type SessionFault = 'protocol_error' | 'flood';

export type Http2Options = Http1Options & {
  /** Called at most once for each session. */
  readonly sessionFailed: (fault: SessionFault, code: string, remoteAddress: string) => void;
};
