// What `--probe` declares: a question that the kubelet may have the sidecar ask the app, and under which path of the admin
// port. Pure; nothing is asked here.

import { Malformed } from './parse.ts';

const KINDS = ['http', 'https', 'tcp', 'grpc'] as const;

export type Probe = {
  readonly kind: (typeof KINDS)[number];
  readonly port: number;
  /** What stands behind the port, from its slash on: the target of http; for grpc a slash and the service; '' if nothing. */
  readonly path: string;
  /** Of http, flat: name, value, name, value. */
  readonly headers: readonly string[];
};

const FORMS = 'KIND:PORT[/PATH], as http:80/healthz, https:8443/, tcp:5432 or grpc:9000/SERVICE';
/** A path as it stands in a request line; a comma or semicolon of it is written as %2C or %3B. */
const PROBE = /^([a-z]+):([0-9]{1,5})(\/[\x21-\x2b\x2d-\x3a\x3c-\x7e]*)?((?:;[^;]*)*)$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.*)$/s;
/** Ours to say: they would change what the question is. */
const FRAMING = /^(?:connection|content-length|transfer-encoding|upgrade|expect|te|trailer)$/i;

/** `http:80/healthz;Name=value`; in values of headers, %2C and the like stand for what would end them. */
export function parseProbe(text: string): Probe {
  const [, name, digits, path = '', headers = ''] = PROBE.exec(text) ?? [];
  const kind = KINDS.find((candidate) => candidate === name);
  const port = Number(digits);
  if (kind === undefined || port < 1 || port > 65535) throw new Malformed(FORMS);
  if (path.includes('#')) throw new Malformed(`${FORMS}; a path without #`);
  const http = kind === 'http' || kind === 'https';
  if (kind === 'tcp' && path !== '') throw new Malformed('tcp:PORT without a path');
  if (!http && headers !== '') throw new Malformed(`${kind}:… without headers; only http and https have them`);
  if (kind === 'grpc') decoded(path);
  return { kind, port, path, headers: headers.split(';').slice(1).flatMap(readHeader) };
}

/** As people are shown it: a value of a header may be a credential. */
export function withoutHeaderValues(text: string): string {
  return text.replaceAll(/(;[^;=]*=)[^;]+/g, '$1…');
}

/** Where on the admin port the probe is asked for. */
export function pathOfProbe({ kind, port, path }: Probe): string {
  return `/probe/${kind}/${port}${path}`;
}

/** The name of the service that a gRPC probe asks for; '' for the server as a whole. */
export function serviceOf({ path }: Probe): string {
  return decoded(path.slice(1));
}

function readHeader(text: string): [string, string] {
  const [, name, value = ''] = HEADER.exec(text) ?? [];
  if (name === undefined) throw new Malformed('headers as ;Name=value');
  if (FRAMING.test(name)) throw new Malformed(`headers that leave the request as it is; ${name} does not`);
  const read = decoded(value).trim();
  if (!/^[\t\x20-\x7e]*$/.test(read)) throw new Malformed('header values of visible ASCII characters');
  return [name, read];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Malformed('a % only before two hexadecimal digits; %25 is the sign itself');
  }
}
