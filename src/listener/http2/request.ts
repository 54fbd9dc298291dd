// The fields of an HTTP/2 request to what an exchange is made of (RFC 9113 section 8.3), or the word for what is wrong with
// them. Every rule on what may not be carried on in HTTP/1 beyond that is the pipeline's.

import type { Reason } from '../../errors.ts';
import { UNKNOWN_LENGTH } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { DEFAULT_URGENCY, urgencyOf } from '../../http/h2/send-queue.ts';
import { isToken } from '../../http/head.ts';
import { type Field, Nature } from '../../http/hpack/field.ts';
import type { ReceivedRequest } from '../exchange-state.ts';
import type { Limits } from '../limits.ts';
import { LastFields, type ReadFields } from './last-fields.ts';

/** What the pseudo fields said, and the rest as a raw list. */
export type Http2Request = ReceivedRequest & { readonly urgency: number; readonly headBytes: number };

/** `broken`: HTTP/2 itself says that the stream is to be reset (RFC 9113 section 8.1.1). */
export type RefusedRequest = { readonly reason: Reason; readonly broken: boolean };

export const NO_REQUEST: Http2Request = {
  protocol: 'h2',
  method: '',
  target: '',
  headers: [],
  bodyLength: UNKNOWN_LENGTH,
  urgency: DEFAULT_URGENCY,
  headBytes: 0,
};

const BROKEN: RefusedRequest = { reason: 'malformed_request', broken: true };
const REFUSED: RefusedRequest = { reason: 'malformed_request', broken: false };
const TOO_LARGE: RefusedRequest = { reason: 'header_too_large', broken: false };
const TOO_MANY: RefusedRequest = { reason: 'too_many_fields', broken: false };

export type FieldLimits = Pick<Limits, 'maxFields' | 'maxHeaderBytes'>;

/** Reads the requests of one connection. */
export class RequestFields {
  readonly #limits: FieldLimits;
  readonly #last = new LastFields();

  constructor(limits: FieldLimits) {
    this.#limits = limits;
  }

  /** `overflowed`: there were more fields than are given here. `ended`: no body follows. */
  read(fields: readonly Field[], overflowed: boolean, ended: boolean): Http2Request | RefusedRequest {
    return readRequest(fields, overflowed, ended, this.#limits, this.#last);
  }

  /** Undefined where the fields may not follow a body. */
  trailers(fields: readonly Field[], overflowed: boolean): RawHeaders | undefined {
    return readTrailers(fields, overflowed, this.#limits);
  }
}

/**
 * Cookie crumbs are joined (section 8.2.3). Sizes are counted as HTTP/1 would write the fields, so that a limit is one
 * limit.
 */
function readRequest(
  fields: readonly Field[],
  overflowed: boolean,
  ended: boolean,
  { maxFields, maxHeaderBytes }: FieldLimits,
  last: LastFields,
): Http2Request | RefusedRequest {
  const pseudo = new PseudoFields();
  let from = 0;
  for (; from < fields.length && (fields[from] as Field).nature === Nature.pseudo; from++)
    if (!pseudo.set(fields[from] as Field)) return BROKEN;
  const read = last.find(fields, from) ?? readFields(fields, from, last);
  if (read === undefined) return BROKEN;
  const { headers, urgency } = read;
  if (overflowed || pseudo.bytes + read.bytes > maxHeaderBytes) return TOO_LARGE;
  if (headers.length > maxFields * 2) return TOO_MANY;
  if (!pseudo.whole || hosts(headers) > 1) return BROKEN;
  if (!pseudo.acceptable) return REFUSED;
  const { method, target, authority, protocol: connectProtocol } = pseudo;
  const bodyLength = ended ? 0 : UNKNOWN_LENGTH;
  return {
    protocol: 'h2',
    method,
    target,
    authority,
    connectProtocol,
    headers,
    bodyLength,
    urgency,
    headBytes: pseudo.bytes + read.bytes,
  };
}

/** The fields behind the pseudo fields; undefined where one is among them that must not be there. */
function readFields(fields: readonly Field[], from: number, last: LastFields): ReadFields | undefined {
  const headers: RawHeaders = [];
  let cookieAt = -1;
  let bytes = 0;
  for (let i = from; i < fields.length; i++) {
    const field = fields[i] as Field;
    bytes += sizeOf(field);
    if (field.nature === Nature.plain) headers.push(field.name, field.value);
    else if (field.nature === Nature.cookie) cookieAt = addCrumb(headers, cookieAt, field);
    else return undefined;
  }
  const read = { headers, bytes, urgency: urgencyIn(headers) };
  last.saw(fields, from, read);
  return read;
}

/** As HTTP/1 would write it. */
function sizeOf({ name, value }: Field): number {
  return name.length + value.length + 4;
}

/** Returns where the crumbs are joined. */
function addCrumb(headers: RawHeaders, at: number, { name, value }: Field): number {
  if (at < 0) return headers.push(name, value) - 1;
  headers[at] += `; ${value}`;
  return at;
}

/** Another than `:authority` is the pipeline's to judge (section 8.3.1); two are no request in any case. */
function hosts(headers: RawHeaders): number {
  let count = 0;
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'host') count++;
  return count;
}

/** RFC 9218 section 5. */
function urgencyIn(headers: RawHeaders): number {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'priority') return urgencyOf(headers[i + 1] as string);
  return DEFAULT_URGENCY;
}

/** Whether a value of readRequest() says what is wrong. */
export function isRefused(request: Http2Request | RefusedRequest): request is RefusedRequest {
  return 'reason' in request;
}

const SLASH = 0x2f;

class PseudoFields {
  method = '';
  path = '';
  scheme = '';
  authority: string | undefined = undefined;
  protocol: string | undefined = undefined;
  bytes = 0;
  /** A bit for each that was there. */
  #seen = 0;

  /** False: there is no such field, or it was there before. */
  set(field: Field): boolean {
    const { name, value } = field;
    this.bytes += sizeOf(field);
    switch (name) {
      case ':method':
        this.method = value;
        return this.#first(1);
      case ':path':
        this.path = value;
        return this.#first(2);
      case ':scheme':
        this.scheme = value;
        return this.#first(4);
      case ':authority':
        this.authority = value;
        return this.#first(8);
      case ':protocol':
        this.protocol = value;
        return this.#first(16);
      default:
        return false;
    }
  }

  #first(bit: number): boolean {
    const first = (this.#seen & bit) === 0;
    this.#seen |= bit;
    return first;
  }

  /** A plain CONNECT, which has the authority for its target, as in HTTP/1, and nothing else (RFC 9113 section 8.5). */
  get #isTunnel(): boolean {
    return this.#seen === 9 && this.method === 'CONNECT';
  }

  get target(): string {
    return this.#isTunnel ? (this.authority ?? '') : this.path;
  }

  /** All that must be there, with a path or `*`; `:protocol` with CONNECT only (RFC 8441 section 4). */
  get whole(): boolean {
    if (this.#isTunnel) return true;
    if (this.protocol !== undefined && this.method !== 'CONNECT') return false;
    return (this.#seen & 7) === 7 && (this.path.charCodeAt(0) === SLASH || this.path === '*');
  }

  /** The target must be visible ASCII only, as the request line of the app needs it. */
  get acceptable(): boolean {
    return isToken(this.method) && /^[!-~]+$/.test(this.target) && (this.scheme === 'https' || this.#isTunnel);
  }
}

/** The trailers of a request, or undefined where the fields may not follow a body. */
function readTrailers(
  fields: readonly Field[],
  overflowed: boolean,
  { maxFields, maxHeaderBytes }: FieldLimits,
): RawHeaders | undefined {
  if (overflowed || fields.length > maxFields) return undefined;
  const trailers: RawHeaders = [];
  let bytes = 0;
  for (const { name, value, nature } of fields) {
    bytes += name.length + value.length + 4;
    if (nature !== Nature.plain && nature !== Nature.cookie) return undefined;
    trailers.push(name, value);
  }
  return bytes <= maxHeaderBytes ? trailers : undefined;
}
