// What Node's HTTP/2 streams do not tell plainly, and do not do by themselves: whether the app marked the end of its
// answer, how a stream is cancelled, and what its reset means.

import { type ClientHttp2Stream, constants } from 'node:http2';
import { addAbortSignal } from 'node:stream';
import { REJECTIONS, type Rejection } from '../../errors.ts';

const ABORTED = AbortSignal.abort();

/**
 * Calls back when the app marks the end (END_STREAM), perhaps before all that came is read. Node says `end` for a reset
 * without an error too, and sets `closed` for both; only a marked end comes while the stream is not closed yet.
 */
export function onMarkedEnd(stream: ClientHttp2Stream, marked: () => void): void {
  const { push } = stream;
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && !stream.closed && !stream.destroyed) marked();
    return push.call(stream, chunk, encoding);
  };
}

/** RST_STREAM with CANCEL and nothing else: close() would first mark the end of a request that is not complete. */
export function cancel(stream: ClientHttp2Stream): void {
  if (!stream.destroyed) addAbortSignal(ABORTED, stream);
}

/** As cancel(), after what was written has left. */
export function cancelAfterWrites(stream: ClientHttp2Stream): void {
  if (stream.writableFinished || stream.destroyed) return cancel(stream);
  stream.once('finish', () => cancel(stream));
  stream.end();
}

/** Whether the app said that it has not looked at the request: with a reset, or with GOAWAY (RFC 9113 section 8.7). */
export function isRefused(stream: ClientHttp2Stream): boolean {
  return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
}

/** What a stream that closed before its answer was complete means. */
export function closeRejection(stream: ClientHttp2Stream, answered: boolean): Rejection {
  if (answered) return REJECTIONS.upstream_closed;
  switch (stream.rstCode) {
    case constants.NGHTTP2_PROTOCOL_ERROR:
      return REJECTIONS.upstream_malformed;
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      // Node's own reset for a head above its limits.
      return REJECTIONS.upstream_header_too_large;
    default:
      return REJECTIONS.upstream_closed;
  }
}
