// Opens a port for a server, and says in a user's words why that fails.

import type { AddressInfo, Server } from 'node:net';
import { ConfigError, errorCode } from '../errors.ts';

/** Where to listen; `host` undefined means all addresses of both families. */
export type ListenAddress = { readonly host: string | undefined; readonly port: number };

/** Where a server listens. */
export type Bound = { readonly address: string; readonly port: number };

/** Without a host: of both families, or of IPv4 where IPv6 is off. Rejects with the system's error. */
export function openPort(server: Server, { host, port }: ListenAddress): Promise<Bound> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const backlog = 1024;
    server.listen(host === undefined ? { port, backlog } : { host, port, backlog }, () => {
      server.off('error', reject);
      // Errors of accepting (too many open files) pass; the server goes on.
      server.on('error', () => {});
      const { address, port: bound } = server.address() as AddressInfo;
      resolve({ address, port: bound });
    });
  });
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use by another process',
  EACCES: 'a port below 1024 needs a privilege; take a higher one',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'the host name is unknown',
};

/** One line for an error of openPort(). `asked`: the ports that are asked for beside this one. */
export function portProblem(
  flag: string,
  { host, port }: ListenAddress,
  error: unknown,
  asked: readonly number[] = [],
): string {
  const code = errorCode(error);
  let other = port + 1;
  while (asked.includes(other)) other++;
  const advice = code === 'EADDRINUSE' ? `; take another port, as ${flag} :${other}` : '';
  return `${flag}: cannot listen on ${host ?? ''}:${port}: ${WHY[code] ?? code}${advice}`;
}

/** Opens what `flag` asks for; a port that cannot be had is a ConfigError. */
export async function openOrExplain(
  flag: string,
  address: ListenAddress,
  open: (address: ListenAddress) => Promise<Bound>,
): Promise<Bound> {
  const [bound] = await openAllOrExplain(flag, [address], open);
  return bound as Bound;
}

/**
 * Opens all of them, in their order; the ports that cannot be had are one ConfigError with a line for each. Then whoever calls
 * closes the others.
 */
export async function openAllOrExplain(
  flag: string,
  addresses: readonly ListenAddress[],
  open: (address: ListenAddress, at: number) => Promise<Bound>,
): Promise<readonly Bound[]> {
  const results = await Promise.allSettled(addresses.map(open));
  const asked = addresses.map(({ port }) => port);
  const failed = results.flatMap((result, at) => {
    if (result.status === 'fulfilled') return [];
    const cause: unknown = result.reason;
    return [{ cause, problem: portProblem(flag, addresses[at] as ListenAddress, cause, asked) }];
  });
  if (failed.length > 0)
    throw new ConfigError(
      failed.map(({ problem }) => problem),
      { cause: failed[0]?.cause },
    );
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
