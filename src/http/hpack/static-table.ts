// The static table of HPACK (RFC 7541 appendix A): entries 1 to 61, and where the encoder finds a name in it.

import { Field } from './field.ts';

const TEXT =
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|' +
  ':status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|' +
  'accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|' +
  'authorization|cache-control|content-disposition|content-encoding|content-language|content-length|' +
  'content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|' +
  'if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|' +
  'proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|' +
  'strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate';

const ENTRIES: readonly Field[] = TEXT.split('|').map((entry) => {
  const [name = '', value = ''] = entry.split('=');
  return new Field(name, value);
});

/** Indices above it are the dynamic table's. */
export const STATIC_ENTRIES = ENTRIES.length;

/** Entry 1 to 61. */
export function staticEntry(index: number): Field {
  return ENTRIES[index - 1] as Field;
}

const BY_NAME = new Map<string, number>();
const BY_FIELD = new Map<string, number>();
for (let index = STATIC_ENTRIES; index >= 1; index--) {
  const { name, value } = staticEntry(index);
  BY_NAME.set(name, index);
  BY_FIELD.set(`${name}=${value}`, index);
}

/** The first entry with that name, or 0. */
export function staticName(name: string): number {
  return BY_NAME.get(name) ?? 0;
}

/** The entry that is that field, or 0. */
export function staticField(name: string, value: string): number {
  return BY_FIELD.get(`${name}=${value}`) ?? 0;
}
