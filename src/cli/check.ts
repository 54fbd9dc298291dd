// The command `check`: tests whatever can be tested without serving, and gives a verdict a line, with the mend. The
// app not being up is a warning: in a Pod it starts after the sidecar.

import { createServer } from 'node:net';
import { createAppHealth } from '../admin/health.ts';
import type { Config } from '../config/config.ts';
import type { Address } from '../config/parse.ts';
import { upstreamName } from '../forward/forward.ts';
import { type Bundle, BundleError, parseBundle } from '../identity/bundle.ts';
import { readPair } from '../identity/files.ts';
import { createTicketKeys } from '../identity/tickets.ts';
import { tlsOptions } from '../identity/tls-options.ts';
import { openPort, portProblem } from '../ports.ts';
import { checkDoor } from './check-door.ts';
import { isPatched, PATCHED } from './runtime.ts';

type Verdict = { readonly level: 'ok' | 'warning' | 'failed'; readonly text: string };

const DAY_MS = 86_400_000;
const APP_TIMEOUT_MS = 2000;
const SUCCESS = 0;
const FAILURE = 1;

/** Prints the verdicts on stdout; 0 when none failed. */
export async function check(config: Config): Promise<number> {
  const verdicts = [
    runtime(),
    ...certificate(config),
    await port('--listen', config.listen),
    ...(config.admin === 'off' ? [] : [await port('--admin', config.admin)]),
    ...checkDoor(config),
    await app(config),
  ];
  for (const { level, text } of verdicts) process.stdout.write(`${level.padEnd(8)} ${text}\n`);
  const failed = verdicts.filter(({ level }) => level === 'failed').length;
  process.stdout.write(failed === 0 ? 'The sidecar can start.\n' : `The sidecar cannot start: ${failed} failed.\n`);
  return failed === 0 ? SUCCESS : FAILURE;
}

function runtime(): Verdict {
  if (isPatched(process.version)) return { level: 'ok', text: `Node ${process.version}` };
  return { level: 'warning', text: `Node ${process.version} lacks security fixes for HTTP servers; use ${PATCHED}` };
}

function certificate({ cert, key }: Config): Verdict[] {
  try {
    const files = readPair({ cert, key });
    const bundle = parseBundle({ certPath: cert, keyPath: key, cert: files.cert, key: files.key });
    tlsOptions(bundle, createTicketKeys());
    const pair = `${cert} and ${key} belong together: ${bundle.subject || 'no subject'}, ${bundle.keyKind}, chain of ${bundle.chainLength}`;
    return [{ level: 'ok', text: pair }, dates(bundle), names(bundle)];
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return [{ level: 'failed', text: error.message }];
  }
}

function dates({ notBefore, notAfter }: Bundle): Verdict {
  const now = Date.now();
  if (now < notBefore.getTime())
    return {
      level: 'warning',
      text: `the certificate is not valid before ${notBefore.toISOString()}; it would be served all the same`,
    };
  const days = Math.floor((notAfter.getTime() - now) / DAY_MS);
  if (now >= notAfter.getTime())
    return {
      level: 'warning',
      text: `the certificate expired on ${notAfter.toISOString()}; it would be served all the same: renew it`,
    };
  return {
    level: days < 7 ? 'warning' : 'ok',
    text: `the certificate is valid until ${notAfter.toISOString()}, for ${days} more days`,
  };
}

function names({ names }: Bundle): Verdict {
  if (names !== '') return { level: 'ok', text: `it names ${names}` };
  return {
    level: 'warning',
    text: 'the certificate has no subject alternative name: browsers and Go clients refuse it',
  };
}

async function port(flag: string, address: Address): Promise<Verdict> {
  const probe = createServer();
  try {
    await openPort(probe, address);
    return { level: 'ok', text: `${flag}: port ${address.port} is free` };
  } catch (error) {
    return { level: 'failed', text: portProblem(flag, address, error) };
  } finally {
    probe.close();
  }
}

async function app({ upstream }: Config): Promise<Verdict> {
  const name = upstreamName(upstream);
  const accepts = await createAppHealth(upstream, APP_TIMEOUT_MS, () => performance.now()).accepts();
  if (accepts) return { level: 'ok', text: `the app accepts connections on ${name}` };
  return { level: 'warning', text: `the app does not accept connections on ${name} yet; start it, or set --upstream` };
}
