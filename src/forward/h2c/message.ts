// An exchange as HTTP/2 fields, and the app's fields as an answer. Pure.

import { STATUS_CODES } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http2';
import { REJECTIONS, type Rejection } from '../../errors.ts';
import type { Exchange } from '../../exchange.ts';
import { fieldValue, type RawHeaders } from '../../http/fields.ts';
import { areFields, fieldsOf } from '../../http/http2-fields.ts';
import { type AnswerHead, isRejection, readAnswer } from '../answer.ts';
import type { ForwardLimits } from '../upstream.ts';

/** The request. `:authority` stands for Host; the WebSocket key has no place (RFC 8441 section 5). */
export function requestFields(exchange: Exchange): OutgoingHttpHeaders {
  const fields = fieldsOf(exchange.headers);
  delete fields.host;
  fields[':method'] = exchange.method;
  if (exchange.upgrade !== undefined) {
    delete fields['sec-websocket-key'];
    fields[':method'] = 'CONNECT';
    fields[':protocol'] = exchange.upgrade.toLowerCase();
  }
  fields[':scheme'] = 'http';
  fields[':authority'] = exchange.host;
  fields[':path'] = exchange.target;
  return fields;
}

export type RawAnswer = { readonly status: number; readonly headers: RawHeaders };

/** Splits the pseudo field off; a rejection when the fields could not be passed on in HTTP/1.1. */
export function splitStatus(raw: RawHeaders, limits: ForwardLimits): RawAnswer | Rejection {
  const first = raw[0] === ':status' ? (raw[1] ?? '') : '';
  const headers = raw.slice(2);
  if (!/^[1-9][0-9]{2}$/.test(first) || !areFields(headers)) return REJECTIONS.upstream_malformed;
  let bytes = 0;
  for (const text of headers) bytes += text.length;
  if (headers.length > limits.maxFields * 2 || bytes > limits.maxHeaderBytes)
    return REJECTIONS.upstream_header_too_large;
  return { status: Number(first), headers };
}

/** `ended`: the head was the whole answer. */
export function answerHead({ method, protocol }: Exchange, raw: RawAnswer, ended: boolean): AnswerHead | Rejection {
  const { status, headers } = raw;
  const head = readAnswer(method, '2', status, STATUS_CODES[status] ?? '', headers);
  if (isRejection(head) || !ended) return head;
  if (head.bodyLength > 0) return REJECTIONS.upstream_malformed;
  // HTTP/1.1 says so with a length; HTTP/2 with the flag that came along.
  if (head.chunked && protocol !== 'h2') head.headers.push('Content-Length', '0');
  return { ...head, bodyLength: 0, chunked: false };
}

/** Why trailers cannot be passed on, whatever of them would be. */
export function trailersRejection(raw: RawHeaders | undefined): Rejection | undefined {
  return raw === undefined || areFields(raw) ? undefined : REJECTIONS.upstream_malformed;
}

/** Whether an answer that began as gRPC must end with trailers. */
export function owesTrailers({ grpc }: Exchange, { status, headers }: AnswerHead): boolean {
  return grpc && status === 200 && fieldValue(headers, 'content-type')?.startsWith('application/grpc') === true;
}
