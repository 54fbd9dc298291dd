// The fields of an HTTP/2 request, as nghttp2 lets them through, to what an exchange is made of; and what may not be
// carried on in HTTP/1.

import type { Reason } from '../../errors.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { isFieldValue, isToken } from '../../http/head.ts';
import { areFields } from '../../http/http2-fields.ts';
import type { Limits } from '../limits.ts';

/** What the pseudo fields said, and the rest as a raw list. */
export type Http2Request = {
  readonly method: string;
  readonly path: string;
  readonly authority: string | undefined;
  /** `:protocol` of an extended CONNECT. */
  readonly protocol: string | undefined;
  readonly headers: RawHeaders;
  /** No body follows. */
  readonly ended: boolean;
};

export const NO_REQUEST: Http2Request = {
  method: '',
  path: '',
  authority: undefined,
  protocol: undefined,
  headers: [],
  ended: false,
};

/**
 * Why not, when the fields are no request (RFC 9113 section 8.3.1) or more than the limits allow. Cookie crumbs are
 * joined (section 8.2.3). Sizes are counted as HTTP/1 would write the fields, so that a limit is one limit.
 */
export function readRequest(
  raw: RawHeaders,
  ended: boolean,
  { maxFields, maxHeaderBytes }: Limits,
): Http2Request | Reason {
  const pseudo: Pseudo = { method: '', path: '', authority: undefined, protocol: undefined, scheme: '' };
  const headers: RawHeaders = [];
  let cookieAt = -1;
  let bytes = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    bytes += name.length + value.length + 4;
    if (bytes > maxHeaderBytes) return 'header_too_large';
    if (!isFieldValue(value)) return 'malformed_request';
    if (name.charCodeAt(0) === 0x3a) {
      if (!setPseudo(pseudo, name, value)) return 'malformed_request';
    } else if (!isToken(name)) {
      return 'malformed_request';
    } else if (name !== 'cookie') {
      headers.push(name, value);
    } else if (cookieAt >= 0) {
      headers[cookieAt] += `; ${value}`;
    } else {
      cookieAt = headers.push(name, value) - 1;
    }
  }
  if (headers.length > maxFields * 2) return 'too_many_fields';
  const { method, path, authority, protocol, scheme } = pseudo;
  if (!isRequest(method, path, scheme)) return 'malformed_request';
  return { method, path, authority, protocol, headers, ended };
}

type Pseudo = {
  method: string;
  path: string;
  authority: string | undefined;
  protocol: string | undefined;
  scheme: string;
};

function setPseudo(pseudo: Pseudo, name: string, value: string): boolean {
  switch (name) {
    case ':method':
      pseudo.method = value;
      return true;
    case ':path':
      pseudo.path = value;
      return true;
    case ':authority':
      pseudo.authority = value;
      return true;
    case ':protocol':
      pseudo.protocol = value;
      return true;
    case ':scheme':
      pseudo.scheme = value;
      return true;
    default:
      return false;
  }
}

/** The target must be visible ASCII only, as the request line of the app needs it. */
function isRequest(method: string, path: string, scheme: string): boolean {
  return isToken(method) && /^[!-~]+$/.test(path) && scheme === 'https';
}

/** Whether fields may follow a body: nghttp2 lets other names and bytes through than HTTP/1 can carry. */
export function areTrailers(raw: RawHeaders, { maxFields, maxHeaderBytes }: Limits): boolean {
  if (raw.length > maxFields * 2 || !areFields(raw)) return false;
  let bytes = 0;
  for (let i = 0; i < raw.length; i += 2) bytes += (raw[i] as string).length + (raw[i + 1] as string).length + 4;
  return bytes <= maxHeaderBytes;
}
