// The field traceparent of W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header), as it is logged:
// only where it is well-formed, and then its first four fields, which are all that this version knows. Pure.

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
