// What a client says of the trace that its request belongs to: https://www.w3.org/TR/trace-context/. Pure.

import type { RawHeaders } from '../../http/fields.ts';
import { traceparentOf } from '../../http/trace-context.ts';

const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';

export type Parent = {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
  /** All fields of tracestate as one list, or ''. */
  readonly state: string;
};

/** Undefined where there is none, or what there is cannot be read; then its tracestate means nothing either. */
export function parentOf(headers: RawHeaders): Parent | undefined {
  let found: string | undefined;
  let state = '';
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isNamed(name, TRACEPARENT)) {
      // With two, nobody knows which one is right.
      if (found !== undefined) return undefined;
      found = headers[i + 1] as string;
    } else if (isNamed(name, TRACESTATE)) {
      state = state === '' ? (headers[i + 1] as string) : `${state},${headers[i + 1]}`;
    }
  }
  const fields = traceparentOf(found);
  if (fields === undefined) return undefined;
  const flags = Number.parseInt(fields.slice(53), 16);
  return { traceId: fields.slice(3, 35), spanId: fields.slice(36, 52), flags, state };
}

function isNamed(name: string, lower: string): boolean {
  return name.length === lower.length && name.toLowerCase() === lower;
}
