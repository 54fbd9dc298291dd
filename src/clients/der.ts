// As much of DER (X.690) as names and serial numbers of certificates and revocation lists need. Throws a RangeError for what
// is cut off; what the fields mean, the callers say.

export type Element = { readonly tag: number; readonly bytes: Buffer; readonly content: Buffer };

const SEQUENCE = 0x30;

/** The elements of a sequence's content, one after the other. */
export function elementsOf(content: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const element = elementAt(content, at);
    elements.push(element);
    at += element.bytes.length;
  }
  return elements;
}

/** The elements of a sequence that stands alone. */
export function sequenceOf(bytes: Buffer): Element[] {
  const { tag, content } = elementAt(bytes, 0);
  if (tag !== SEQUENCE) throw new RangeError('not a sequence');
  return elementsOf(content);
}

function elementAt(buffer: Buffer, at: number): Element {
  const tag = buffer.readUInt8(at);
  const first = buffer.readUInt8(at + 1);
  const more = first < 0x80 ? 0 : first & 0x7f;
  const length = more === 0 ? first : buffer.readUIntBE(at + 2, more);
  const start = at + 2 + more;
  if (start + length > buffer.length) throw new RangeError('cut off');
  return { tag, bytes: buffer.subarray(at, start + length), content: buffer.subarray(start, start + length) };
}
