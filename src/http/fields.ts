// Pure rules on raw header lists: which names a proxy must treat specially, and how lists are cut down.
// A raw list is flat ([name, value, name, value …]), in the order and the letter case of the wire.
// Nothing here is keyed by text that a client sent: names are classified into a fixed set of kinds.

export type RawHeaders = string[];

/** What a field name means to a proxy. `plain` fields are passed on untouched. */
export const Kind = {
  plain: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  /** Other hop-by-hop fields (RFC 9110 section 7.6.1 and the older proxy fields): always removed. */
  hopByHop: 5,
  te: 6,
  trailer: 7,
  upgrade: 8,
  expect: 9,
  /** Who the client is and how it came: ours to say, so a client's own copy is removed. */
  forwarding: 10,
  requestId: 11,
  /** A name that a CGI-like app would read as a framing field (`Content_Length`, `Content.Length`). */
  framingTwin: 12,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

const KNOWN = new Map<string, Kind>([
  ['host', Kind.host],
  ['content-length', Kind.contentLength],
  ['transfer-encoding', Kind.transferEncoding],
  ['connection', Kind.connection],
  ['keep-alive', Kind.hopByHop],
  ['proxy-connection', Kind.hopByHop],
  ['http2-settings', Kind.hopByHop],
  ['proxy-authenticate', Kind.hopByHop],
  ['proxy-authorization', Kind.hopByHop],
  ['te', Kind.te],
  ['trailer', Kind.trailer],
  ['upgrade', Kind.upgrade],
  ['expect', Kind.expect],
  ['forwarded', Kind.forwarding],
  ['x-request-id', Kind.requestId],
  ['x-real-ip', Kind.forwarding],
]);
const FORWARDED_PREFIX = 'x-forwarded-';
/** For each length of a name, one bit for each first letter that a special name of that length has. */
const FIRST_LETTERS = new Int32Array(32);
for (const name of KNOWN.keys()) FIRST_LETTERS[name.length] = (FIRST_LETTERS[name.length] ?? 0) | letterBit(name);

/**
 * Kind of a field name, in any letter case. CGI and what was made after it (RFC 3875 section 4.1.18) knows a field by a variable,
 * in which every character but letters and digits is `_`: so a name counts as the one with `-` in their places.
 */
export function kindOf(name: string): Kind {
  // Nearly every plain name ends here, before a lower-case copy and a lookup are made of it.
  const { length } = name;
  const bit = letterBit(name);
  if (bit === X_BIT && length > FORWARDED_PREFIX.length) return kindOfKnown(name.toLowerCase());
  if (length > 31 || ((FIRST_LETTERS[length] as number) & bit) === 0) return Kind.plain;
  return kindOfKnown(name.toLowerCase());
}

function letterBit(name: string): number {
  return 1 << (name.charCodeAt(0) & 31);
}

const X_BIT = letterBit('x');

function kindOfKnown(lower: string): Kind {
  const known = KNOWN.get(lower);
  if (known !== undefined) return known;
  if (lower.startsWith(FORWARDED_PREFIX)) return Kind.forwarding;
  return isFolded(lower) ? kindOfTwin(lower.replaceAll(FOLDED, '-')) : Kind.plain;
}

const FOLDED = /[^A-Za-z0-9-]/g;

/** Whether a name has other characters than letters, digits and `-`, so that an app may know it as another field. */
export function isFolded(name: string): boolean {
  return name.search(FOLDED) >= 0;
}

function kindOfTwin(name: string): Kind {
  if (name.startsWith(FORWARDED_PREFIX)) return Kind.forwarding;
  const kind = KNOWN.get(name) ?? Kind.plain;
  switch (kind) {
    case Kind.plain:
    case Kind.forwarding:
    case Kind.requestId:
      return kind;
    case Kind.host:
    case Kind.contentLength:
    case Kind.transferEncoding:
      return Kind.framingTwin;
    default:
      return Kind.hopByHop;
  }
}

/** First value of a field, or undefined. `name` is in lower case. */
export function fieldValue(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const candidate = headers[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[i + 1];
  }
  return undefined;
}

/** The members of a comma-separated list value: trimmed, and none of them empty. */
export function membersOf(value: string): string[] {
  const members: string[] = [];
  for (const part of value.split(',')) {
    const member = part.trim();
    if (member !== '') members.push(member);
  }
  return members;
}

/** As membersOf(), in lower case. */
export function listMembers(value: string): string[] {
  return membersOf(value.toLowerCase());
}

/**
 * A copy without the hop-by-hop fields, those that `Connection` names, and every kind in `alsoDrop`.
 * `Trailer` stays only where trailers can follow (`chunked`): RFC 9110 section 6.6.2.
 */
export function endToEnd(headers: RawHeaders, chunked: boolean, alsoDrop: ReadonlySet<Kind>): RawHeaders {
  const kept: RawHeaders = [];
  let nominated: Set<string> | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const kind = kindOf(name);
    if (kind !== Kind.plain) {
      if (kind === Kind.connection) nominated = nominate(headers[i + 1] as string, nominated);
      if (isHopByHop(kind) && !(kind === Kind.trailer && chunked)) continue;
      if (alsoDrop.has(kind)) continue;
    }
    kept.push(name, headers[i + 1] as string);
  }
  return nominated === undefined ? kept : without(kept, nominated);
}

/** Adds the names of one Connection value; undefined as long as there are none. */
function nominate(value: string, names: Set<string> | undefined): Set<string> | undefined {
  // The two values that nearly everybody sends name no field.
  if (value === 'keep-alive' || value === 'close') return names;
  const all = names ?? new Set();
  for (const name of listMembers(value)) all.add(name);
  return all;
}

function without(headers: RawHeaders, names: ReadonlySet<string>): RawHeaders {
  const kept: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!names.has(name.toLowerCase())) kept.push(name, headers[i + 1] as string);
  }
  return kept;
}

const LENGTH: ReadonlySet<Kind> = new Set([Kind.contentLength]);

/** What of an interim answer's fields is passed on: it has no body, and so no length (RFC 9110 section 8.6). */
export function interimFields(headers: RawHeaders): RawHeaders {
  return endToEnd(headers, false, LENGTH);
}

/**
 * What of a trailer section is passed on: nothing that frames a message, belongs to one hop, or would be taken out of a
 * head (RFC 9110 section 6.5.1); undefined when nothing is left.
 */
export function passableTrailers(trailers: RawHeaders | undefined): RawHeaders | undefined {
  if (trailers === undefined) return undefined;
  const kept: RawHeaders = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string;
    if (kindOf(name) === Kind.plain) kept.push(name, trailers[i + 1] as string);
  }
  return kept.length > 0 ? kept : undefined;
}

function isHopByHop(kind: Kind): boolean {
  switch (kind) {
    case Kind.connection:
    case Kind.hopByHop:
    case Kind.transferEncoding:
    case Kind.te:
    case Kind.trailer:
    case Kind.upgrade:
      return true;
    default:
      return false;
  }
}
