// What is read of a file that an operator names, and may have named wrongly: a certificate, a key, the configuration. What is
// not a file, or too large to be one of these, is not read; nothing waits.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errorCode } from './errors.ts';

/** More than any chain or configuration needs; a wrong path (a log) must not exhaust the memory. */
const MAX_FILE_BYTES = 1 << 20;
const READ_BYTES = 16_384;

/** The file is there, and is not what can be read. `what`: as it stands behind its name. */
export class OddFile extends Error {
  readonly what: 'is not a regular file' | 'is larger than 1 MiB';

  constructor(what: OddFile['what']) {
    super(what);
    this.what = what;
  }
}

/** Throws an OddFile, or the system's error. */
export function readSmallFile(path: string): Buffer {
  // Else the open of a FIFO would wait for a writer, and every connection with it.
  const fd = openFile(path);
  try {
    if (!fstatSync(fd).isFile()) throw new OddFile('is not a regular file');
    return readToEnd(fd);
  } finally {
    closeSync(fd);
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    // A socket.
    throw errorCode(error) === 'ENXIO' ? new OddFile('is not a regular file') : error;
  }
}

/** By what is read, not by the size that is told: a file of /proc has none, and another may grow. */
function readToEnd(fd: number): Buffer {
  const pieces: Buffer[] = [];
  for (let bytes = 0; ; ) {
    const piece = Buffer.allocUnsafeSlow(READ_BYTES);
    const read = readSync(fd, piece);
    if (read === 0) return Buffer.concat(pieces, bytes);
    bytes += read;
    if (bytes > MAX_FILE_BYTES) throw new OddFile('is larger than 1 MiB');
    pieces.push(piece.subarray(0, read));
  }
}
