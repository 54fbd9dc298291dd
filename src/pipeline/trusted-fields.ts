// What a trusted proxy said about the client, taken out of the request so that it can be appended to. A field that is not
// well-formed counts as absent. Two kinds are removed even so: names spelled otherwise
// (`X_Forwarded_For`), which the proxy may have passed on from its client unseen, and X-Forwarded-Client-Cert, which only a handshake with us can prove.

import { isFolded, Kind, kindOf, membersOf, type RawHeaders } from '../http/fields.ts';
import { isToken } from '../http/head.ts';
import { isAuthority } from './authority.ts';

export type TrustedFields = {
  /** The request's fields without those below. */
  readonly headers: RawHeaders;
  /** The hops of all X-Forwarded-For fields, those right of the last malformed one; or ''. */
  readonly hops: string;
  readonly proto: string | undefined;
  readonly host: string | undefined;
  readonly port: string | undefined;
  /** All fields of Forwarded in one, or ''. */
  readonly forwarded: string;
  readonly requestId: string | undefined;
};

const PROTO = /^(?:https?|wss?)$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const REQUEST_ID = /^[A-Za-z0-9._~+/=:@-]{1,128}$/;

export function takeTrustedFields(all: RawHeaders): TrustedFields {
  const headers: RawHeaders = [];
  const found: Found = { hops: [], protos: [], hosts: [], ports: [], forwarded: [], requestIds: [] };
  for (let i = 0; i < all.length; i += 2) {
    const name = all[i] as string;
    const value = all[i + 1] as string;
    const kind = kindOf(name);
    const ours = kind === Kind.forwarding || kind === Kind.requestId;
    const lower = ours ? name.toLowerCase() : name;
    const place = ours ? placeOf(found, lower) : undefined;
    if (place !== undefined) place.push(value);
    else if (!ours || (!isFolded(lower) && lower !== 'x-forwarded-client-cert')) headers.push(name, value);
  }
  const { hops, protos, hosts, ports, forwarded, requestIds } = found;
  return {
    headers,
    hops: saneHops(hops.join(',')),
    proto: only(protos, (text) => PROTO.test(text)),
    host: only(hosts, isAuthority),
    port: only(ports, (text) => PORT.test(text) && Number(text) <= 65535),
    forwarded: forwarded.every(isForwarded) ? joined(forwarded) : '',
    requestId: only(requestIds, (text) => REQUEST_ID.test(text)),
  };
}

type Found = Readonly<Record<'hops' | 'protos' | 'hosts' | 'ports' | 'forwarded' | 'requestIds', string[]>>;

function placeOf(found: Found, name: string): string[] | undefined {
  switch (name) {
    case 'x-forwarded-for':
      return found.hops;
    case 'x-forwarded-proto':
      return found.protos;
    case 'x-forwarded-host':
      return found.hosts;
    case 'x-forwarded-port':
      return found.ports;
    case 'forwarded':
      return found.forwarded;
    case 'x-request-id':
      return found.requestIds;
    default:
      return undefined;
  }
}

/** With two values, nobody knows which one is right. */
function only(values: readonly string[], isSane: (value: string) => boolean): string | undefined {
  const [value, ...more] = values;
  return value !== undefined && more.length === 0 && isSane(value) ? value : undefined;
}

/** An address, with its port or without, `unknown`, or a made-up name (RFC 7239 section 6 has the same). */
const HOP = /^(?=.*[0-9A-Za-z])[0-9A-Za-z.:_[\]%-]{1,64}$/;

/** Proxies append on the right: what is left of a malformed hop was not written by them. */
function saneHops(list: string): string {
  const hops = membersOf(list);
  return hops.slice(hops.findLastIndex((hop) => !HOP.test(hop)) + 1).join(', ');
}

function joined(values: readonly string[]): string {
  return values.filter((value) => value !== '').join(', ');
}

const PAIR = /[ \t]*(?:[!#-'*+.^-z|~0-9A-Z-]+=(?:[!#-'*+.^-z|~0-9A-Z-]+|"(?:[^"\\]|\\.)*")[ \t]*)?([;,]|$)/y;

/**
 * Whether a value is a list as RFC 7239 section 4 has it. What is appended to one with an open quote would be a part
 * of the quoted text.
 */
function isForwarded(value: string): boolean {
  PAIR.lastIndex = 0;
  for (;;) {
    const [, delimiter] = PAIR.exec(value) ?? [];
    if (delimiter === undefined) return false;
    if (delimiter === '') return true;
  }
}

/** Our own element of Forwarded (RFC 7239 sections 4 and 6): an IPv6 address in brackets, and what is no token quoted. */
export function forwardedElement(address: string, host: string, proto: string): string {
  const node = address.includes(':') ? `"[${address}]"` : address;
  return `for=${node};host=${isToken(host) ? host : `"${host}"`};proto=${proto}`;
}
