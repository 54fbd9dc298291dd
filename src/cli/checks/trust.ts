// What `check` finds about clients before TLS: how many connections fit, and whether more addresses are trusted than anybody
// can mean. None of it stops the sidecar from starting.

import type { Config } from '../../config/config.ts';
import { AddressList, type Range } from '../../net/addresses.ts';
import { type Capacity, readSystemLimits, type SystemLimits } from '../../net/capacity.ts';
import { type CapacityConfig, planCapacity } from '../../sidecar/capacity.ts';
import type { Finding } from './finding.ts';

type TrustConfig = CapacityConfig & Pick<Config, 'trustForwarded' | 'proxyProtocol' | 'plaintext'>;

/** Nobody's own network is wider than this. */
const NARROWEST = { ipv4: 8, ipv6: 16 } as const;

export function checkTrust(config: TrustConfig, limits: SystemLimits = readSystemLimits()): Finding[] {
  const { trustForwarded, proxyProtocol, plaintext } = config;
  const served = 'clients without TLS are served, and anybody on the way can read and change it';
  return [
    ...connections(config, limits),
    ...trustForwarded.map((range) => width('--trust-forwarded', range, 'can claim to be any client')),
    ...proxyProtocol.map((range) =>
      width('--proxy-protocol', range, 'must send a PROXY header, and can claim any address'),
    ),
    ...overlaps(trustForwarded, proxyProtocol),
    ...(plaintext === 'forward' ? [{ level: 'warning', text: `--plaintext forward: ${served}` } as const] : []),
  ];
}

function connections(config: CapacityConfig, limits: SystemLimits): Finding[] {
  const { maxConnections, upstreamMaxConnections } = config;
  const fit = planCapacity(config, limits);
  const bound =
    fit.boundBy === 'memory'
      ? `${Math.floor(limits.memoryBytes / 2 ** 20)} MiB of memory`
      : `${limits.openFiles} open files`;
  const findings = [clients(maxConnections, fit, bound)];
  if (fit.upstreamConnections < upstreamMaxConnections)
    findings.push({
      level: 'warning',
      text: `--upstream-max-connections ${upstreamMaxConnections} is more than ${limits.openFiles} open files allow beside the clients; ${fit.upstreamConnections} are used; raise that limit`,
    });
  return findings;
}

function clients(option: number | 'auto', fit: Capacity, bound: string): Finding {
  if (option === 'auto')
    return { level: 'ok', text: `--max-connections auto: ${fit.automatic} connections, for ${bound}` };
  const text = `--max-connections ${option}`;
  if (option <= fit.automatic) return { level: 'ok', text: `${text}: ${bound} allow ${fit.automatic}` };
  return {
    level: 'warning',
    text: `${text} is more than ${bound} allow; take ${fit.automatic}, or raise that limit`,
  };
}

function width(flag: string, range: Range, who: string): Finding {
  const text = `${flag} ${textOf(range)}`;
  if (range.prefix === 0) return { level: 'warning', text: `${text} is everybody: each of them ${who}; name your own` };
  if (range.prefix < NARROWEST[range.family])
    return { level: 'warning', text: `${text} is wider than one network: each address in it ${who}; name your own` };
  return { level: 'ok', text: `${text}: each address in it ${who}` };
}

/** An L4 balancer passes on what its clients wrote; only a proxy of HTTP writes these fields itself. */
function overlaps(trusted: readonly Range[], balancers: readonly Range[]): Finding[] {
  return trusted.flatMap((range) =>
    balancers
      .filter(
        (balancer) => new AddressList([range]).has(balancer.address) || new AddressList([balancer]).has(range.address),
      )
      .map((balancer): Finding => {
        const both = `--trust-forwarded ${textOf(range)} and --proxy-protocol ${textOf(balancer)} overlap`;
        const why = 'an L4 balancer passes on whatever X-Forwarded-For its clients write; trust proxies of HTTP only';
        return { level: 'warning', text: `${both}: ${why}` };
      }),
  );
}

function textOf({ address, prefix }: Range): string {
  return `${address}/${prefix}`;
}
