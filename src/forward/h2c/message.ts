// An exchange as HTTP/2 fields, and the app's fields as an answer. Pure.

import { STATUS_CODES } from 'node:http';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../../exchange.ts';
import { fieldValue, type RawHeaders } from '../../http/fields.ts';
import { Code } from '../../http/h2/frames.ts';
import { type Field, Nature } from '../../http/hpack/field.ts';
import { acceptOf } from '../../http/websocket.ts';
import { type AnswerHead, isRejection, readAnswer } from '../answer.ts';
import type { ForwardLimits } from '../upstream.ts';

const HOST = /^host$/i;
const KEY = /^sec-websocket-key$/i;

/**
 * The request. `:authority` stands for Host; the WebSocket key has no place (RFC 8441 section 5). Fields of a connection are
 * left out where the block is written.
 */
export function requestFields(exchange: Exchange): RawHeaders {
  const { headers, added, upgrade, method, host, target } = exchange;
  const asked = upgrade === undefined ? method : 'CONNECT';
  const fields: RawHeaders = [':method', asked, ':scheme', 'http', ':authority', host, ':path', target];
  if (upgrade !== undefined) fields.push(':protocol', upgrade.toLowerCase());
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 4 && HOST.test(name)) continue;
    if (upgrade !== undefined && KEY.test(name)) continue;
    fields.push(name, headers[i + 1] as string);
  }
  fields.push(...added);
  return fields;
}

export type RawAnswer = { readonly status: number; readonly headers: RawHeaders };

/** The head of an answer, interim or final. `overflowed`: it had more fields than are given here. */
export function readHead(fields: readonly Field[], overflowed: boolean, limits: ForwardLimits): RawAnswer | Rejection {
  const first = fields[0];
  if (first?.name !== ':status' || !/^[1-9][0-9]{2}$/.test(first.value)) return REJECTIONS.upstream_malformed;
  const headers = readFields(fields, 1, overflowed, limits);
  return isRejection(headers) ? headers : { status: Number(first.value), headers };
}

/** Fields without a pseudo field, from `from` on; a rejection when they cannot be passed on (RFC 9113 section 8.2). */
export function readFields(
  fields: readonly Field[],
  from: number,
  overflowed: boolean,
  { maxFields, maxHeaderBytes }: ForwardLimits,
): RawHeaders | Rejection {
  const headers: RawHeaders = [];
  let bytes = 0;
  for (let i = from; i < fields.length; i++) {
    const { name, value, nature } = fields[i] as Field;
    if (nature !== Nature.plain && nature !== Nature.cookie) return REJECTIONS.upstream_malformed;
    bytes += name.length + value.length;
    headers.push(name, value);
  }
  const tooLarge = overflowed || headers.length > maxFields * 2 || bytes > maxHeaderBytes;
  return tooLarge ? REJECTIONS.upstream_header_too_large : headers;
}

/** `ended`: the head was the whole answer. */
export function answerHead({ method, protocol }: Exchange, raw: RawAnswer, ended: boolean): AnswerHead | Rejection {
  const { status, headers } = raw;
  const head = readAnswer(method, '2', status, STATUS_CODES[status] ?? '', headers);
  if (isRejection(head) || !ended) return head;
  if (head.bodyLength > 0) return REJECTIONS.upstream_malformed;
  // HTTP/1.1 says so with a length; HTTP/2 with the flag that came along.
  const length = head.chunked && protocol !== 'h2' ? ['Content-Length', '0'] : [];
  return { ...head, headers: [...head.headers, ...length], bodyLength: 0, chunked: false };
}

/** What is wrong with an answer that the app has marked as complete. */
export function endRejection(
  { grpc }: Exchange,
  head: AnswerHead,
  received: number,
  trailers: RawHeaders | undefined,
): Rejection | undefined {
  if (head.bodyLength !== UNKNOWN_LENGTH && received !== head.bodyLength) return REJECTIONS.upstream_closed;
  const owed = grpc && trailers === undefined && head.bodyLength !== 0 && owesTrailers(head);
  return owed ? REJECTIONS.upstream_closed : undefined;
}

/** Whether the answer to a call began as gRPC, which ends with trailers. */
function owesTrailers({ status, headers }: AnswerHead): boolean {
  return status === 200 && fieldValue(headers, 'content-type')?.startsWith('application/grpc') === true;
}

/** What a WebSocket's answer has in HTTP/1.1 and not in HTTP/2, which has no such proof: that the app speaks it is one. */
export function webSocketProof({ headers, upgrade }: Exchange): RawHeaders {
  const key = fieldValue(headers, 'sec-websocket-key') ?? '';
  return ['Upgrade', upgrade ?? '', 'Sec-WebSocket-Accept', acceptOf(key)];
}

/** What a stream that was lost before its answer came to. */
export function resetRejection(code: Code): Rejection {
  switch (code) {
    case Code.protocol:
    case Code.flowControl:
    case Code.streamClosed:
    case Code.frameSize:
    case Code.compression:
      return REJECTIONS.upstream_malformed;
    default:
      return REJECTIONS.upstream_closed;
  }
}
