// Several careless HTTP/1 parsers. Each reads the bytes that an app received as some real server would; where they do not
// agree on how many requests there are and where each ends, a request was smuggled. Never strict: what cannot be read is
// read somehow.

export type Parsed = {
  /** Where each complete request begins and ends. */
  readonly requests: readonly { readonly start: number; readonly end: number }[];
  /** Where an incomplete request begins; the length when there is none. */
  readonly rest: number;
};

type Leniency = {
  /** A bare LF ends a line. */
  readonly lf?: true;
  /** Content-Length counts before Transfer-Encoding. */
  readonly lengthFirst?: true;
  /** The digits at the beginning of a Content-Length count, others too: `4, 5`, `+4`, `4abc`. */
  readonly prefix?: true;
  /** `_` in a name means `-` (CGI). */
  readonly underscore?: true;
  /** Any Transfer-Encoding that mentions chunked is chunked. */
  readonly mentions?: true;
  /** Names are trimmed, lines that begin with a space continue the one before. */
  readonly trims?: true;
  /** The last Content-Length counts, not the first. */
  readonly last?: true;
};

const PARSERS: Readonly<Record<string, Leniency>> = {
  'as the RFC': {},
  'LF ends a line': { lf: true },
  'Content-Length first': { lengthFirst: true },
  'prefix of a length': { prefix: true },
  '_ is -': { underscore: true },
  'chunked anywhere': { mentions: true },
  'trims and folds': { trims: true },
  'last length': { last: true },
  'all at once': { lf: true, prefix: true, underscore: true, mentions: true, trims: true, last: true },
};

/** The reading that all agree on; throws with the names of two that do not. */
export function parseByAll(bytes: Buffer): Parsed {
  const text = bytes.toString('latin1');
  const readings = Object.entries(PARSERS).map(([name, leniency]) => ({ name, parsed: parse(text, leniency) }));
  const [first] = readings as [(typeof readings)[0]];
  const shown = JSON.stringify(first.parsed);
  const other = readings.find(({ parsed }) => JSON.stringify(parsed) !== shown);
  if (other === undefined) return first.parsed;
  throw new Error(
    `"${first.name}" and "${other.name}" read these bytes in two ways:\n${shown}\n${JSON.stringify(other.parsed)}\n${JSON.stringify(text.slice(0, 3000))}`,
  );
}

function parse(text: string, leniency: Leniency): Parsed {
  const requests: { start: number; end: number }[] = [];
  let at = 0;
  while (at < text.length) {
    const head = readHead(text, at, leniency);
    const end = head === undefined ? undefined : bodyEnd(text, head, leniency);
    if (end === undefined) break;
    requests.push({ start: at, end });
    at = end;
  }
  return { requests, rest: at };
}

type Head = { lines: string[]; end: number };

function readHead(text: string, from: number, { lf, trims }: Leniency): Head | undefined {
  const blank = (lf ? /\r?\n\r?\n/g : /\r\n\r\n/g) as RegExp;
  blank.lastIndex = from;
  const found = blank.exec(text);
  if (found === null) return undefined;
  let head = text.slice(from, found.index);
  if (trims) head = head.replace(/\r?\n[ \t]+/g, ' ');
  return { lines: head.split(lf ? /\r?\n/ : '\r\n'), end: found.index + found[0].length };
}

function bodyEnd(text: string, head: Head, leniency: Leniency): number | undefined {
  const fields = head.lines.slice(1).map((line) => fieldOf(line, leniency));
  const digits = leniency.prefix ? /\d+/ : /^\d+$/;
  const lengths = valuesOf(fields, 'content-length').flatMap((value) => digits.exec(value) ?? []);
  const length = leniency.last ? lengths.at(-1) : lengths[0];
  const coding = leniency.mentions ? /chunked/i : /^chunked$/i;
  const chunked = valuesOf(fields, 'transfer-encoding').some((value) => coding.test(value));
  if (chunked && !(leniency.lengthFirst && length !== undefined)) return chunkedEnd(text, head.end, leniency);
  const end = head.end + Number(length ?? 0);
  return end <= text.length ? end : undefined;
}

function valuesOf(fields: readonly [name: string, value: string][], wanted: string): string[] {
  return fields.flatMap(([name, value]) => (name === wanted ? [value] : []));
}

function fieldOf(line: string, { underscore, trims }: Leniency): [name: string, value: string] {
  const colon = line.indexOf(':');
  let name = line.slice(0, Math.max(0, colon)).toLowerCase();
  if (trims) name = name.trim();
  if (underscore) name = name.replaceAll('_', '-');
  return [name, line.slice(colon + 1).trim()];
}

function chunkedEnd(text: string, from: number, { lf }: Leniency): number | undefined {
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf('\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    at = lineEnd + 1;
    if (!(size > 0)) return trailersEnd(text, at, lf === true);
    at += size;
    at += text.startsWith('\r\n', at) || !lf ? 2 : 1;
    if (at > text.length) return undefined;
  }
}

function trailersEnd(text: string, from: number, lf: boolean): number | undefined {
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf(lf ? '\n' : '\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = text.slice(at, lineEnd).replace(/\r$/, '');
    at = lineEnd + (lf ? 1 : 2);
    if (line === '') return at;
  }
}

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Z-]+ (?:\/[!-"$-~]*|\*) HTTP\/1\.1$/;
const FIELD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t\x20-\x7e\x80-\xff]*$/;

/** What is wrong with a request as the app received it: an empty list when it is one that the sidecar may write. */
export function grammarErrors(request: string): string[] {
  const headEnd = request.indexOf('\r\n\r\n');
  const [requestLine = '', ...fields] = request.slice(0, headEnd).split('\r\n');
  const errors: string[] = [];
  if (!REQUEST_LINE.test(requestLine)) errors.push(`request line ${JSON.stringify(requestLine)}`);
  for (const field of fields) if (!FIELD.test(field)) errors.push(`field ${JSON.stringify(field)}`);
  const count = (name: RegExp): number => fields.filter((field) => name.test(field)).length;
  if (count(/^host:/i) !== 1) errors.push('not one Host');
  if (count(/^x-request-id: [0-9a-f-]{36}$/i) !== 1 || count(/^x[-_]request[-_]id:/i) !== 1) errors.push('not from us');
  if (count(/^(?:content[-_]length|transfer[-_]encoding):/i) > 1) errors.push('more than one length');
  if (fields.some((field) => /^content-length:/i.test(field) && !/^content-length: (?:0|[1-9]\d*)$/i.test(field)))
    errors.push('Content-Length');
  if (fields.some((field) => /^transfer-encoding:/i.test(field) && !/^transfer-encoding: chunked$/i.test(field)))
    errors.push('Transfer-Encoding');
  return errors;
}
