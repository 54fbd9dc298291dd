// What is read of a file that an operator names, and may have named wrongly: a certificate, a key, the configuration. What is
// not a file, or too large to be one of these, is not read; nothing waits.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** More than any chain or configuration needs; a wrong path (a log) must not exhaust the memory. */
const MAX_FILE_BYTES = 1 << 20;

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
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new OddFile('is not a regular file');
    if (stats.size > MAX_FILE_BYTES) throw new OddFile('is larger than 1 MiB');
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
