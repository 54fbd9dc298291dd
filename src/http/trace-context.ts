// The field traceparent of W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header): what counts as one.
// Pure.

/** Where an exchange stands in a trace. */
export interface ExchangeSpan {
  /** Its own ids, for whoever is called on behalf of the exchange. */
  readonly traceparent: string;
  /** It begins the trace. */
  readonly root: boolean;
  /** The exchange is over. */
  end(): void;
}

const FIELDS = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}/;
const LENGTH = 55;
const NO_TRACE = /^..-0{32}-/;
const NO_PARENT = /-0{16}-..$/;

/** Version, trace, parent and flags; undefined for what is none. */
export function traceparentOf(value: string | undefined): string | undefined {
  const fields = value === undefined ? undefined : FIELDS.exec(value)?.[0];
  if (value === undefined || fields === undefined) return undefined;
  if (fields.startsWith('ff') || NO_TRACE.test(fields) || NO_PARENT.test(fields)) return undefined;
  if (value.length === LENGTH) return fields;
  // A later version may add fields at the end.
  return !fields.startsWith('00') && value[LENGTH] === '-' ? fields : undefined;
}
