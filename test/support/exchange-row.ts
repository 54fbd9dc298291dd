// The shape of a row in the table of exchanges (exchanges.ts), and the words to write one with.

import type { RawClient } from './raw-client.ts';
import type { RecorderConnection } from './recorder.ts';

/**
 * How the app acts on one request: bytes that it writes, or what it does with the connection. `clientHas` resolves once
 * the client has received this text, so that what follows comes in a read of its own.
 */
export type AppActs = string | Buffer | ((app: RecorderConnection, request: string, clientHas: ClientHas) => unknown);
export type ClientHas = (text: string) => Promise<unknown>;

/**
 * What http-proxy cannot do otherwise, because it builds a header object and hands it to http.request.
 * - `grouped`: fields of the same name, in any case, stand together, where the first one stood and spelled like it.
 * - `node-reads-it`: Node's parser judges the answer before we do, in other words or more leniently (`httpProxy`).
 * - `cut-later`: it passes the head on at once; the wire forwarder lets it wait for the first bytes of the body, and
 *   what is broken within the same read is cut before the client has seen anything.
 * - `cuts-the-client`: Node reports surplus bytes as a failure of the whole answer, and so the client's connection ends.
 * - `notices-later`: its agent may still lend a connection that the app has closed; what it then says of a POST is another word.
 */
export type Difference = 'grouped' | 'node-reads-it' | 'cut-later' | 'cuts-the-client' | 'notices-later';

export type Wanted = {
  /** Of the last answer; 0 when the connection is cut before its head. */
  readonly status: number;
  /** The answer is broken off. */
  readonly cut?: true;
  /** In what the client received, decoded: interim answers, status line, fields, empty line, body, trailers. */
  readonly client?: RegExp;
  /** In what the app received, latin1; `nothing` for not a byte. */
  readonly app?: RegExp | 'nothing';
};

export type ExchangeRow = {
  readonly name: string;
  /** What the client sends; a function plays a dialogue (`Expect`, an upgrade, several requests). */
  readonly send: string | Buffer | ((client: RawClient) => unknown);
  readonly app: AppActs;
  /** True: the app acts once it has the head of the request, without its body. */
  readonly early?: true;
  /** The app accepts no connections. */
  readonly down?: true;
  /** Final answers that the client waits for; default 1. */
  readonly answers?: number;
  /** The request is a HEAD. */
  readonly head?: true;
  readonly want: Wanted;
  /** What http-proxy makes of it instead, where `differs` says why. */
  readonly httpProxy?: Wanted;
  /** In what the two forwarders may differ here beyond the differences of every row (exchanges.ts). */
  readonly differs?: readonly Difference[];
};

export const CRLF = '\r\n';

/** A request with `Host: app.test` first. */
export function request(line: string, fields: readonly string[] = [], body = ''): string {
  return `${[`${line} HTTP/1.1`, 'Host: app.test', ...fields].join(CRLF)}${CRLF}${CRLF}${body}`;
}

/** A request with exactly these lines. */
export function lines(...text: string[]): string {
  return `${text.join(CRLF)}${CRLF}${CRLF}`;
}

/** An answer of the app with exactly these fields. */
export function answer(status: string, fields: readonly string[] = [], body = ''): string {
  return `${[`HTTP/1.1 ${status}`, ...fields].join(CRLF)}${CRLF}${CRLF}${body}`;
}

/** The plain answer where the answer is not what the row is about. */
export const OK = answer('200 OK', ['Content-Length: 2'], 'ok');

export function chunked(...parts: string[]): string {
  return `${parts.map((part) => `${part.length.toString(16)}${CRLF}${part}${CRLF}`).join('')}0${CRLF}${CRLF}`;
}

/** Writes the pieces one after the other, each in its own turn of the loop. */
export function inPieces(...pieces: string[]): AppActs {
  return async (app) => {
    for (const piece of pieces) {
      await new Promise((resolve) => app.socket.write(piece, 'latin1', resolve));
    }
  };
}

export function thenEnds(bytes: string): AppActs {
  return (app) => app.end(bytes);
}

/** Sends a head (and perhaps more) that reaches the client, then this. */
export function thenSends(bytes: string, broken: string): AppActs {
  return async (app, _request, clientHas) => {
    app.socket.write(bytes, 'latin1');
    await clientHas(bytes.slice(-4));
    app.socket.write(broken, 'latin1');
  };
}

/** Resets the connection; after bytes, once the client has some of them. */
export function thenResets(bytes: string, seen = ''): AppActs {
  return async (app, _request, clientHas) => {
    if (bytes !== '') await new Promise((resolve) => app.socket.write(bytes, 'latin1', resolve));
    if (seen !== '') await clientHas(seen);
    app.socket.resetAndDestroy();
  };
}
