// What may follow the addresses of a PROXY header of version 2 (section 2.2.8): type, length and value, repeated.
// Only their form is checked, and the checksum, where there is one (section 2.2.4). Pure.

const TLV_HEAD_BYTES = 3;
const CRC32C = 0x03;
const CRC32C_BYTES = 4;
/** Castagnoli's polynomial, reflected (RFC 3720 appendix B.4). */
const POLYNOMIAL = 0x82f63b78;

/** Whether what follows `from` are whole values to the last byte, and their checksum, if any, is that of the header. */
export function areTlvs(header: Buffer, from: number): boolean {
  let checksumAt = -1;
  let at = from;
  while (at < header.length) {
    if (at + TLV_HEAD_BYTES > header.length) return false;
    const length = header.readUInt16BE(at + 1);
    if (header[at] === CRC32C) {
      if (length !== CRC32C_BYTES || checksumAt >= 0) return false;
      checksumAt = at + TLV_HEAD_BYTES;
    }
    at += TLV_HEAD_BYTES + length;
  }
  if (at !== header.length) return false;
  return checksumAt < 0 || header.readUInt32BE(checksumAt) === checksum(header, checksumAt);
}

/** Over the whole header, with the four bytes of the checksum itself as zeros. */
function checksum(header: Buffer, skipAt: number): number {
  let crc = 0xffffffff;
  for (let i = 0; i < header.length; i++) {
    crc ^= i >= skipAt && i < skipAt + CRC32C_BYTES ? 0 : (header[i] as number);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  }
  return ~crc >>> 0;
}
