// Raw lists in the shape that Node's ClientRequest takes.

import type { ClientRequest } from 'node:http';
import type { RawHeaders } from '../../http/fields.ts';

/** Appended, since Node keeps only the last of same-named fields that are set. */
export function appendFields(outgoing: ClientRequest, headers: RawHeaders): void {
  for (let i = 0; i < headers.length; i += 2) outgoing.appendHeader(headers[i] as string, headers[i + 1] as string);
}

export function pairs(headers: RawHeaders): [name: string, value: string][] {
  const list: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) list.push([headers[i] as string, headers[i + 1] as string]);
  return list;
}
