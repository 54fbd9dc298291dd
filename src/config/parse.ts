// Text to values: durations, sizes, ports, addresses. Every function gives the value or throws a Malformed that says what
// is accepted; the caller adds which option it was.

import { type Range, readRange, type UpstreamAddress } from '../net/addresses.ts';
import type { Rate } from '../net/client-rates.ts';
import type { ListenAddress } from '../net/ports.ts';

export class Malformed extends Error {}

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SIZE_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  k: 1e3,
  kB: 1e3,
  K: 1e3,
  KB: 1e3,
  M: 1e6,
  MB: 1e6,
  G: 1e9,
  GB: 1e9,
  Ki: 1024,
  KiB: 1024,
  Mi: 1024 ** 2,
  MiB: 1024 ** 2,
  Gi: 1024 ** 3,
  GiB: 1024 ** 3,
};
/** Longer ones overflow Node's timers, which then fire at once. */
const MAX_DURATION_MS = 24 * 3_600_000;

/** Milliseconds of `250ms`, `10s`, `5m`, `1h` or `0`. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const [, amount, unit] = /^([0-9]+(?:\.[0-9]+)?)([a-z]+)$/.exec(text) ?? [];
  const factor = unit !== undefined && Object.hasOwn(DURATION_MS, unit) ? DURATION_MS[unit] : undefined;
  if (factor === undefined) throw new Malformed('a duration with its unit, as 250ms, 10s or 5m');
  const ms = Math.round(Number(amount) * factor);
  if (ms > MAX_DURATION_MS) throw new Malformed('a duration of at most 24h');
  return ms;
}

/** As parseDuration(), but not 0: for limits that must exist. */
export function parseLimit(text: string): number {
  const ms = parseDuration(text);
  if (ms === 0) throw new Malformed('a duration above 0, as 250ms, 10s or 5m');
  return ms;
}

/** Bytes of `16KiB`, `1MiB`, `16Ki`, `64k` or a plain number. */
export function parseSize(text: string): number {
  const [, amount, unit] = /^([0-9]+)([A-Za-z]*)$/.exec(text) ?? [];
  const factor = unit !== undefined && Object.hasOwn(SIZE_BYTES, unit) ? SIZE_BYTES[unit] : undefined;
  const bytes = Number(amount) * (factor ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) throw new Malformed('a size, as 16KiB, 1MiB or plain bytes');
  return bytes;
}

/** As parseSize(), but not below `min` bytes. */
export function parseSizeOf(min: number): (text: string) => number {
  return (text) => {
    const bytes = parseSize(text);
    if (bytes < min) throw new Malformed(`a size of at least ${min} bytes`);
    return bytes;
  };
}

/** As parseSize(); Infinity for `unlimited`, and for 0, which nginx's client_max_body_size means it by. */
export function parseSizeOrUnlimited(text: string): number {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY;
  if (!/^[0-9]/.test(text)) throw new Malformed('unlimited, or a size, as 16KiB, 1MiB or plain bytes');
  return parseSize(text) || Number.POSITIVE_INFINITY;
}

const PERIOD_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** `100/s`, `30/m`, `100/s:200`; without a burst, as many at once as the period has. Undefined for `off`. */
export function parseRateOrOff(text: string): Rate | undefined {
  if (text === 'off') return undefined;
  const [, amount, unit = '', atOnce = amount] = /^([1-9][0-9]{0,5})\/([smh])(?::([1-9][0-9]{0,5}))?$/.exec(text) ?? [];
  const periodMs = PERIOD_MS[unit];
  if (periodMs === undefined)
    throw new Malformed('off, or N/s, N/m or N/h and perhaps :BURST, as 100/s or 100/s:200, each from 1 to 999999');
  return Object.freeze({ requests: Number(amount), periodMs, burst: Number(atOnce) });
}

/** A whole number of at least `min`. */
export function parseCount(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || value < min || !Number.isSafeInteger(value))
      throw new Malformed(`a whole number of at least ${min}`);
    return value;
  };
}

/** A whole number from 1 to 100; a `%` may follow. */
export function parsePercent(text: string): number {
  const digits = /^([0-9]{1,3})%?$/.exec(text)?.[1];
  const percent = Number(digits);
  if (digits === undefined || percent < 1 || percent > 100) throw new Malformed('a percentage from 1 to 100, as 50');
  return percent;
}

/** A whole number above 0, or `auto`. */
export function parseCountOrAuto(text: string): number | 'auto' {
  if (text === 'auto') return text;
  if (!/^[0-9]+$/.test(text)) throw new Malformed('auto, or a whole number of at least 1');
  return parseCount(1)(text);
}

/** One address or a range of them: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. */
export function parseRange(text: string): Range {
  const range = readRange(text);
  if (typeof range === 'string') throw new Malformed(range);
  return range;
}

/** `[HOST]:PORT`; an IPv6 host stands in brackets. Port 0 lets the system choose. */
export function parseAddress(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:[\]/\s]*)):([0-9]{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535)
    throw new Malformed('[HOST]:PORT, as :8080, 127.0.0.1:8080 or [::1]:8080');
  return { host: bracketed ?? (plain === '' ? undefined : plain), port: Number(port) };
}

/** An address, or `off`. */
export function parseAddressOrOff(text: string): ListenAddress | 'off' {
  return text === 'off' ? 'off' : parseAddress(text);
}

/** `http://HOST:PORT` or `h2c://HOST:PORT` (port 80 when left out), or `unix:/PATH`. */
export function parseUpstream(text: string): UpstreamAddress {
  if (text.startsWith('unix:/')) return { kind: 'unix', path: text.slice('unix:'.length) };
  const [, scheme, bracketed, plain, port] =
    /^(http|h2c):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?\/?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? 80 : Number(port);
  if (host === undefined || number < 1 || number > 65535)
    throw new Malformed('http://HOST:PORT, h2c://HOST:PORT or unix:/PATH, without a path behind the port');
  return { kind: 'tcp', host, port: number, ...(scheme === 'h2c' && { h2c: true }) };
}

/** Where OTLP is posted to: `http://HOST:4318`, which means its /v1/traces, or `https://HOST/PATH` as it stands. */
export function parseCollector(text: string): string {
  if (!/^https?:\/\/[^\s\\?#@]+$/.test(text) || !URL.canParse(text))
    throw new Malformed(
      'http://HOST:PORT or https://HOST:PORT/PATH; credentials belong into OTEL_EXPORTER_OTLP_HEADERS',
    );
  const url = new URL(text);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}

/** One of a few words. */
export function parseWord<const W extends string>(...words: W[]): (text: string) => W {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new Malformed(words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`);
    return word;
  };
}

/** `true` or `false`. */
export function parseSwitch(text: string): boolean {
  return parseWord('true', 'false')(text) === 'true';
}

/** A value that may be left out: '' is undefined. */
export function optional<T>(parse: (text: string) => T): (text: string) => T | undefined {
  return (text) => (text === '' ? undefined : parse(text));
}

/** A path to a file. */
export function parseFile(text: string): string {
  if (text === '' || text.includes('\0')) throw new Malformed('a path to a file');
  return text;
}

/** A pattern of client names; `*` matches any characters but dots and slashes. */
export function parseNamePattern(text: string): string {
  if (text === '' || text.includes('**') || /["\\,\p{Cc}]/u.test(text))
    throw new Malformed('a name without quotes, commas and backslashes, where * stands for one label or segment');
  return text;
}
