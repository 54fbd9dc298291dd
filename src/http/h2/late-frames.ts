// What HEADERS or DATA of a stream that is closed mean: whoever ended it, and how, decides whether that is a fault of the
// stream, of the connection, or none (RFC 9113 section 5.1, closed).

import { Ending } from './closed-streams.ts';
import { Code } from './frames.ts';
import { Cost } from './session-owner.ts';

export interface LateFrameSession {
  readonly out: { reset(id: number, code: Code): void };
  spend(cost: Cost, words: string): boolean;
  fail(code: Code, words: string): void;
}

export function judgeLateFrame(session: LateFrameSession, id: number, ending: Ending): void {
  switch (ending) {
    case Ending.resetByUs:
      // It was on its way when we reset the stream.
      return void session.spend(Cost.idle, 'frames of streams that are closed');
    case Ending.resetByPeer:
      session.out.reset(id, Code.streamClosed);
      return void session.spend(Cost.reset, 'frames of streams that are closed');
    case Ending.ended:
      return session.fail(Code.streamClosed, 'a frame of a stream that has ended');
    default:
      return session.fail(Code.protocol, 'a stream below the last one');
  }
}
