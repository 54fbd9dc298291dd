// The PROXY protocol header, versions 1 and 2, as its specification has it:
// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt (cited by section). Pure; it is given all bytes so far, and its
// result for them never changes when more come. Whatever is not exactly a header is refused; nothing is repaired.

import { canonicalAddress } from '../../net/addresses.ts';
import { areTlvs } from './proxy-tlvs.ts';

export type ProxyHeader = {
  /** How many bytes the header takes. */
  readonly used: number;
  /** The client's address; undefined when the connection is the balancer's own, or of a kind that has none. */
  readonly source: string | undefined;
};
export type ProxyHeaderReason = 'no_proxy_header' | 'bad_proxy_header';

const V1 = Buffer.from('PROXY ');
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
/** Section 2.1: the longest line that is possible, with its CRLF. */
const V1_MAX_BYTES = 107;
/** Section 2.2 has no limit but that of the length field; this is nginx's (ngx_proxy_protocol.h). */
const V2_MAX_BYTES = 4096;
const V2_FIXED_BYTES = 16;
/** With the NUL: before a request line there may be empty lines. */
const V2_TELLING_BYTES = 5;
const LF = 10;

/** Undefined when more bytes are needed. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | ProxyHeaderReason | undefined {
  if (begins(bytes, V1)) return bytes.length > V1.length ? readLine(bytes) : undefined;
  if (begins(bytes, V2)) return bytes.length >= V2_FIXED_BYTES ? readBinary(bytes) : undefined;
  return 'no_proxy_header';
}

/**
 * Whether these bytes can only be a PROXY header: no TLS record and no method of HTTP begins so. Undefined when more bytes
 * are needed.
 */
export function isProxyHeader(bytes: Buffer): boolean | undefined {
  if (begins(bytes, V1)) return bytes.length >= V1.length || undefined;
  if (begins(bytes, V2)) return bytes.length >= V2_TELLING_BYTES || undefined;
  return false;
}

/** Whether the bytes are the signature, or as much of it as there are bytes. */
function begins(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

// ---- Version 1 (section 2.1)

const TCP = /^PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})$/;
/** What follows is to be ignored, but must be a line of text. */
const UNKNOWN = /^PROXY UNKNOWN(?: [ -~]*)?$/;

function readLine(bytes: Buffer): ProxyHeader | ProxyHeaderReason | undefined {
  const end = bytes.subarray(0, V1_MAX_BYTES).indexOf(LF);
  if (end < 0) return bytes.length < V1_MAX_BYTES ? undefined : 'bad_proxy_header';
  const line = bytes.toString('latin1', 0, end + 1);
  if (!line.endsWith('\r\n')) return 'bad_proxy_header';
  const text = line.slice(0, -2);
  const used = end + 1;
  if (UNKNOWN.test(text)) return { used, source: undefined };
  const [, version, from = '', to = '', fromPort, toPort] = TCP.exec(text) ?? [];
  if (version === undefined || Number(fromPort) > 65535 || Number(toPort) > 65535) return 'bad_proxy_header';
  const source = addressOf(from, version);
  return source === undefined || addressOf(to, version) === undefined ? 'bad_proxy_header' : { used, source };
}

function addressOf(text: string, version: string): string | undefined {
  return text.includes(':') === (version === '6') ? canonicalAddress(text) : undefined;
}

// ---- Version 2 (section 2.2)

const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPEC = 0x00;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const UNIX_STREAM = 0x31;
/** Source and destination, addresses and ports. Datagrams cannot have come here; all other values are reserved. */
const ADDRESS_BYTES = new Map([
  [TCP_OVER_IPV4, 12],
  [TCP_OVER_IPV6, 36],
  [UNIX_STREAM, 216],
]);

function readBinary(bytes: Buffer): ProxyHeader | ProxyHeaderReason | undefined {
  const command = bytes[12];
  const family = bytes[13] as number;
  const used = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if ((command !== LOCAL && command !== PROXY) || used > V2_MAX_BYTES) return 'bad_proxy_header';
  // Of these, everything behind the length is to be skipped.
  const skipped = command === LOCAL || family === UNSPEC;
  const addressBytes = skipped ? 0 : ADDRESS_BYTES.get(family);
  if (addressBytes === undefined || used < V2_FIXED_BYTES + addressBytes) return 'bad_proxy_header';
  if (bytes.length < used) return undefined;
  const header = bytes.subarray(0, used);
  if (!skipped && !areTlvs(header, V2_FIXED_BYTES + addressBytes)) return 'bad_proxy_header';
  return { used, source: skipped ? undefined : sourceOf(header, family) };
}

function sourceOf(header: Buffer, family: number): string | undefined {
  if (family === UNIX_STREAM) return undefined;
  if (family === TCP_OVER_IPV4) return header.subarray(16, 20).join('.');
  return canonicalAddress(header.toString('hex', 16, 32).match(/..../g)?.join(':') ?? '');
}
