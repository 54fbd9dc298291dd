// How somebody who only wants to try makes a certificate, in one line of shell. Pure.

import { dirname, isAbsolute } from 'node:path';
import type { BundleError } from './bundle-error.ts';
import type { PairPaths } from './files.ts';

/** For a certificate that is missing at a relative path, as the default is: whoever gives an absolute one knows of a file. */
export function makeOne({ message, reason }: BundleError, { cert, key = cert }: PairPaths): string {
  if (reason !== 'missing' || isAbsolute(cert) || !message.startsWith(`${cert} `)) return '';
  const directories = [...new Set([dirname(cert), dirname(key)])].join(' ');
  return `; to try, make one: mkdir -p ${directories} && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`;
}
