// Reads a certificate and its key as one consistent pair; a certificate's file that holds a key is the whole pair. A Secret
// volume is swapped by renaming its `..data` link to a new directory (Kubernetes' AtomicWriter), so both files are read
// from the one directory that the link names, and the link is read again afterwards. It parses nothing.

import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { errorCode } from '../errors.ts';
import { OddFile, readSmallFile } from '../files.ts';
import { BundleError } from './bundle-error.ts';
import { whyUnreadable } from './disk/access.ts';
import { isForeign } from './pem/foreign.ts';
import { certificateBlocks, holdsKey } from './pem/text.ts';

/** `key` is not read where the certificate's file holds one; undefined where it must. */
export type PairPaths = { readonly cert: string; readonly key: string | undefined };

export type PairFiles = {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The file that the key came from. */
  readonly keyPath: string;
  /** The directory that both were really read from, or that of the certificate. */
  readonly source: string;
};

const ATTEMPTS = 5;

/** The pairs of two lists: as many keys as certificates, or none. */
export function pairPaths({ cert, key }: { cert: readonly string[]; key: readonly string[] }): PairPaths[] {
  return cert.map((path, at) => ({ cert: path, key: key[at] }));
}

/** Throws a BundleError of `missing`, `unreadable`, `no_key` or `changing`. */
export function readPair(paths: PairPaths): PairFiles {
  const { cert, key = cert } = paths;
  for (let attempt = 1; ; attempt++) {
    const certDir = realDirectory(dirname(cert));
    const keyDir = dirname(key) === dirname(cert) ? certDir : realDirectory(dirname(key));
    try {
      const pair = readFrom(certDir, keyDir, paths);
      if (realDirectory(dirname(cert)) === certDir && realDirectory(dirname(key)) === keyDir) return pair;
    } catch (error) {
      // The directory may have been swapped in the meantime: then the next attempt finds the new one.
      const swapped = realDirectory(dirname(cert)) !== certDir || realDirectory(dirname(key)) !== keyDir;
      if (!swapped || attempt === ATTEMPTS) throw error;
    }
    if (attempt === ATTEMPTS) throw new BundleError('changing', `${dirname(cert)} changes faster than it can be read`);
  }
}

function readFrom(certDir: string, keyDir: string, { cert, key }: PairPaths): PairFiles {
  const chain = readFile(join(certDir, basename(cert)), cert);
  if (holdsKey(chain)) return { cert: chain, key: chain, keyPath: cert, source: certDir };
  // An empty file is reported as such, not as one without a key.
  if (key === undefined && chain.length > 0)
    throw new BundleError('no_key', `${cert} holds no private key, and no --key is given for it`);
  if (key === undefined) return { cert: chain, key: chain, keyPath: cert, source: certDir };
  try {
    return { cert: chain, key: readFile(join(keyDir, basename(key)), key), keyPath: key, source: certDir };
  } catch (error) {
    // A key store holds both: that there is no second file is not what is wrong.
    if (isForeign(chain)) certificateBlocks(cert, chain);
    throw error;
  }
}

/** The target of `..data` where the directory is a Kubernetes volume, else where the directory really is. */
function realDirectory(directory: string): string {
  const link = join(directory, '..data');
  return (isLink(link) ? real(link) : undefined) ?? real(directory) ?? resolve(directory);
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Where a relative path leads. */
function inFull(path: string): string {
  return isAbsolute(path) ? '' : ` (in full: ${resolve(path)})`;
}

/** `named` is what messages call it. Throws a BundleError of `missing` or `unreadable`. */
export function readFile(path: string, named: string): Buffer {
  try {
    return readSmallFile(path);
  } catch (error) {
    if (error instanceof OddFile) {
      const not = error.what === 'is larger than 1 MiB' ? ': not a certificate or key' : '';
      throw new BundleError('unreadable', `${named} ${error.what}${not}`);
    }
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new BundleError('missing', `${named} does not exist${inFull(named)}`, { cause: error });
    const why = code === 'EACCES' || code === 'EPERM' ? whyUnreadable(path) : '';
    throw new BundleError('unreadable', `${named} cannot be read (${code})${why}`, { cause: error });
  }
}
