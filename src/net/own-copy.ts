// Bytes in memory of their own: a slice of Node's pool, 64 KiB from Node 24 on, would hold all of it for as long as it lives.

export function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
