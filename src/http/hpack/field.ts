// One field of a header list as HTTP/2 carries it, with what was found out about it once: an entry of a table is judged
// when it enters, so that a repeated field costs no second look. What follows from it is decided elsewhere.

import { isFieldValue } from '../head.ts';

/** What RFC 9113 sections 8.2 and 8.3 say of a field by itself. */
export const Nature = {
  plain: 0,
  /** Its name begins with a colon. */
  pseudo: 1,
  /** No field of HTTP: the name is empty, in upper case or no token, or the value has bytes that none may have. */
  invalid: 2,
  /** Of one connection (section 8.2.2), or `te` with another value than `trailers`. */
  connection: 3,
  cookie: 4,
} as const;
export type Nature = (typeof Nature)[keyof typeof Nature];

/** What each entry costs beside its text (RFC 7541 section 4.1), here and in SETTINGS_MAX_HEADER_LIST_SIZE. */
export const ENTRY_BYTES = 32;

const COLON = 0x3a;
/** Characters of a token, without those in upper case. */
const NAME = new Uint8Array(128);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") NAME[char.charCodeAt(0)] = 1;

const KNOWN = new Map<string, Nature>([
  ['connection', Nature.connection],
  ['proxy-connection', Nature.connection],
  ['keep-alive', Nature.connection],
  ['transfer-encoding', Nature.connection],
  ['upgrade', Nature.connection],
  ['cookie', Nature.cookie],
]);

export class Field {
  readonly name: string;
  readonly value: string;
  readonly size: number;
  readonly nature: Nature;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.size = name.length + value.length + ENTRY_BYTES;
    this.nature = natureOf(name, value);
  }
}

function natureOf(name: string, value: string): Nature {
  if (!isValue(value)) return Nature.invalid;
  if (name.charCodeAt(0) === COLON) return Nature.pseudo;
  if (name.length === 0) return Nature.invalid;
  for (let i = 0; i < name.length; i++) if (NAME[name.charCodeAt(i)] !== 1) return Nature.invalid;
  if (name === 'te') return value === 'trailers' ? Nature.plain : Nature.connection;
  return KNOWN.get(name) ?? Nature.plain;
}

/** RFC 9113 section 8.2.1: no white space at its ends, either. */
function isValue(value: string): boolean {
  if (value.length === 0) return true;
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1)) && isFieldValue(value);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
