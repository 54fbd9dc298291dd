// Options that contradict each other, or that make the sidecar its own app: one line each, with what to do. Pure.

import { isDeepStrictEqual } from 'node:util';
import type { UpstreamAddress } from '../net/addresses.ts';
import type { ListenAddress } from '../net/ports.ts';
import { clientAuthOf, isRestricted } from './client-rules.ts';
import type { Config } from './config.ts';
import { pathOfProbe } from './probe.ts';
import { isH2cOnly } from './upstreams.ts';

export function contradictions(config: Config): string[] {
  const { upstream, upstreamProtocol, forwarder, drainDelay, drainTimeout } = config;
  const problems: string[] = clientContradictions(config);
  const h2cUpstream = upstream.some(isH2cOnly);
  if (h2cUpstream && upstreamProtocol === 'http1')
    problems.push('--upstream h2c://… and --upstream-protocol http1 contradict each other; leave the latter out');
  if (forwarder === 'http-proxy' && (h2cUpstream || upstreamProtocol === 'h2c'))
    problems.push('--forwarder http-proxy speaks HTTP/1.1 only, not h2c; leave it out');
  problems.push(...countContradictions(config), ...portContradictions(config), ...probeContradictions(config));
  problems.push(...traceContradictions(config));
  if (drainDelay > drainTimeout) problems.push('--drain-delay is longer than --drain-timeout, which includes it');
  return problems;
}

/** Rules for clients that nobody could meet, or that anybody could bypass. */
function clientContradictions(config: Config): string[] {
  const { clientCa, clientCrl } = config;
  const auth = clientAuthOf(config);
  const rules = isRestricted(config);
  const problems: string[] = [];
  if (auth !== 'off' && clientCa === undefined)
    problems.push(`--client-auth ${auth} needs --client-ca: the authorities that the certificates must be issued by`);
  if (clientCrl !== undefined && clientCa === undefined)
    problems.push('--client-crl needs --client-ca: the lists say which of its certificates were revoked');
  if (auth === 'off' && clientCa !== undefined)
    problems.push(
      `--client-ca is given, and --client-auth off asks no client for a certificate${rules ? '; the allow rules need client certificates, too' : ''}; leave one of them out`,
    );
  else if (auth === 'off' && rules)
    problems.push('--allow-cn, --allow-ou, --allow-dns and --allow-uri need client certificates; give --client-ca');
  if (config.plaintext === 'forward' && (auth === 'require' || rules))
    problems.push(
      `--plaintext forward and ${rules ? 'an allow rule' : 'a required client certificate'} contradict each other: plain HTTP has no certificate; leave one out, or redirect`,
    );
  return problems;
}

function countContradictions({ listen, upstream }: Config): string[] {
  if (upstream.length === 1 || upstream.length === listen.length) return [];
  return [
    `--listen is given ${listen.length} times and --upstream ${upstream.length} times; give as many --upstream, in the same order, or one for all`,
  ];
}

function portContradictions(config: Config): string[] {
  const { listen, admin, upstream } = config;
  const problems = listen.flatMap((address, at) => sharedBetween(address, listen.slice(0, at)));
  // Each app against each listener: by another one, too, the sidecar would call itself.
  for (const app of upstream) {
    const own = listen.find((address) => isAt(address, app));
    if (own !== undefined)
      problems.push(
        `--upstream and --listen are the same port ${own.port}: the sidecar would call itself; if the app has that port, let the sidecar listen on another one, as --listen ${another(own.port, 8443)}`,
      );
  }
  if (admin === 'off') return problems;
  const shared = listen.find((address) => meets(admin, address));
  if (shared !== undefined) problems.push(`--admin and --listen are the same port ${admin.port}; give each its own`);
  else if (upstream.some((app) => isAt(admin, app)))
    problems.push(
      `--upstream and --admin are the same port ${admin.port}: the sidecar's own health and metrics are no app; if the app has that port, take another one for them, as --admin ${another(admin.port, 9902)}`,
    );
  return problems;
}

/** Two questions under one path, or one to ourselves. */
function probeContradictions({ probe, listen, admin }: Config): string[] {
  const problems: string[] = [];
  if (admin === 'off' && probe.length > 0)
    problems.push('--probe is asked for on the admin port, and --admin is off; leave one of them out');
  const own = [...listen.map(({ port }) => port), ...(admin === 'off' ? [] : [admin.port])];
  const [ours] = probe.filter(({ port }) => own.includes(port));
  if (ours !== undefined)
    problems.push(`--probe ${ours.kind}:${ours.port} is a port of the sidecar; give one of the app`);
  const twice = probe.find((one, at) => {
    const first = probe.findIndex((other) => pathOfProbe(other) === pathOfProbe(one));
    return first < at && !isDeepStrictEqual(probe[first], one);
  });
  if (twice !== undefined)
    problems.push(
      `--probe ${twice.kind}:${twice.port}${twice.path} is given twice, with other headers; give it one set`,
    );
  return problems;
}

/** Each post of spans would make the next one. */
function traceContradictions({ traceOtlp, listen }: Config): string[] {
  if (traceOtlp === undefined) return [];
  const { protocol, hostname, port } = new URL(traceOtlp);
  const usual = protocol === 'https:' ? 443 : 80;
  const collector = { kind: 'tcp', host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || usual) } as const;
  if (!listen.some((address) => isAt(address, collector))) return [];
  return [
    `--trace-otlp and --listen are the same port ${collector.port}: give the port of the collector, usually 4318`,
  ];
}

function sharedBetween(address: ListenAddress, others: readonly ListenAddress[]): string[] {
  if (!others.some((other) => meets(address, other))) return [];
  return [`--listen names port ${address.port} twice; give each its own`];
}

/** Whether only one of them can be had. Port 0 is any that is free. */
function meets(one: ListenAddress, other: ListenAddress): boolean {
  return one.port !== 0 && one.port === other.port && (one.host === other.host || !one.host || !other.host);
}

function another(taken: number, usual: number): string {
  return `:${taken === usual ? usual + 1 : usual}`;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1', '0.0.0.0', '::'];

function isAt({ host, port }: ListenAddress, upstream: UpstreamAddress): boolean {
  return upstream.kind === 'tcp' && port === upstream.port && meetsItself(host, upstream.host);
}

function meetsItself(listenHost: string | undefined, upstreamHost: string): boolean {
  // In Node, `::` accepts both families.
  if (listenHost === undefined || listenHost === '::') return LOOPBACK_NAMES.includes(upstreamHost);
  if (listenHost === '0.0.0.0') return ['localhost', '127.0.0.1', '0.0.0.0'].includes(upstreamHost);
  return listenHost === upstreamHost || (LOOPBACK_NAMES.includes(listenHost) && upstreamHost === 'localhost');
}
