// What is posted to a collector of traces: the protobuf of OTLP's ExportTraceServiceRequest, read by its field numbers
// (https://github.com/open-telemetry/opentelemetry-proto, trace/v1/trace.proto). Unknown fields are skipped.

export type Span = {
  traceId: string;
  spanId: string;
  /** '' for a root. */
  parentSpanId: string;
  traceState: string;
  name: string;
  /** 2: server. */
  kind: number;
  /** Milliseconds since 1970. */
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
  /** 2: error. */
  status: number;
  /** Of the resource. */
  resource: Record<string, unknown>;
};

export function readTraces(body: Buffer): Span[] {
  return messages(body, 1).flatMap((resourceSpans) => {
    const resource = messages(resourceSpans, 1).map((one) => attributesOf(one, 1))[0] ?? {};
    return messages(resourceSpans, 2)
      .flatMap((scopeSpans) => messages(scopeSpans, 2))
      .map((span) => readSpan(span, resource));
  });
}

function readSpan(bytes: Buffer, resource: Record<string, unknown>): Span {
  const fields = fieldsOf(bytes);
  const hex = (number: number): string => bufferAt(fields, number).toString('hex');
  const text = (number: number): string => bufferAt(fields, number).toString();
  const status = messages(bytes, 15)[0];
  return {
    traceId: hex(1),
    spanId: hex(2),
    traceState: text(3),
    parentSpanId: hex(4),
    name: text(5),
    kind: numberAt(fields, 6),
    startMs: numberAt(fields, 7) / 1e6,
    endMs: numberAt(fields, 8) / 1e6,
    attributes: attributesOf(bytes, 9),
    status: status === undefined ? 0 : numberAt(fieldsOf(status), 3),
    resource,
  };
}

function attributesOf(bytes: Buffer, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(bytes, field).map((pair) => {
      const fields = fieldsOf(pair);
      return [bufferAt(fields, 1).toString(), anyValue(bufferAt(fields, 2))];
    }),
  );
}

/** An AnyValue. */
function anyValue(bytes: Buffer): unknown {
  const [field] = fieldsOf(bytes);
  switch (field?.number) {
    case 1:
      return (field.value as Buffer).toString();
    case 2:
      return field.value === 1n;
    case 3:
      return Number(field.value);
    case 4:
      return (field.value as Buffer).readDoubleLE();
    default:
      throw new Error(`no value that this test knows: ${bytes.toString('hex')}`);
  }
}

type Field = { number: number; value: bigint | Buffer };

function messages(bytes: Buffer, number: number): Buffer[] {
  return fieldsOf(bytes).flatMap((field) => (field.number === number ? [field.value as Buffer] : []));
}

function bufferAt(fields: readonly Field[], number: number): Buffer {
  const value = fields.find((field) => field.number === number)?.value;
  return value instanceof Buffer ? value : Buffer.alloc(0);
}

function numberAt(fields: readonly Field[], number: number): number {
  const value = fields.find((field) => field.number === number)?.value ?? 0n;
  return Number(value instanceof Buffer ? value.readBigUInt64LE() : value);
}

/** Varints as numbers, all else as bytes (https://protobuf.dev/programming-guides/encoding/). */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error('a field that is cut off');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const number = key >> 3;
    const kind = key & 7;
    if (kind === 0) fields.push({ number, value: varint() });
    else if (kind === 1) fields.push({ number, value: take(8) });
    else if (kind === 2) fields.push({ number, value: take(Number(varint())) });
    else if (kind === 5) fields.push({ number, value: take(4) });
    else throw new Error(`no such wire type: ${kind}`);
  }
  return fields;
}
