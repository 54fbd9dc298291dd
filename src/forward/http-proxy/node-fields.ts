// Raw lists in the shape that Node's ClientRequest takes.

import type { ClientRequest } from 'node:http';
import type { RawHeaders } from '../../http/fields.ts';

/** Same-named fields, in any case, go as one list: Node keeps only the last of those that are set apart. */
export function setFields(outgoing: ClientRequest, headers: RawHeaders): void {
  const grouped = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of pairs(headers)) {
    const known = grouped.get(name.toLowerCase());
    if (known === undefined) grouped.set(name.toLowerCase(), { name, values: [value] });
    else known.values.push(value);
  }
  for (const { name, values } of grouped.values()) {
    outgoing.setHeader(name, values.length === 1 ? (values[0] as string) : values);
  }
}

export function pairs(headers: RawHeaders): [name: string, value: string][] {
  const list: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) list.push([headers[i] as string, headers[i + 1] as string]);
  return list;
}
