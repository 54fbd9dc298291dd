// The http-proxy package behind our rules, and its only import; loaded when chosen. As shipped, version 1.18.1 can be
// crashed by one field, frames a chunked DELETE wrongly, forgets the app when a client leaves and the client when the
// app does, and passes hop-by-hop fields on. So it gets an empty request to send, its own passes are removed, and head
// and body of request and answer go through the same rules as in the wire forwarder. It adds http.request.

import { Agent, type AgentOptions, type ClientRequest } from 'node:http';
import { createRequire } from 'node:module';
import util from 'node:util';
import type HttpProxy from 'http-proxy';
import { eachFamilyOf } from '../../net/families.ts';
import { Pool } from '../pool.ts';
import type { Lender, Transport } from '../transport.ts';
import type { ForwarderOptions, ForwardLimits } from '../upstream.ts';
import type { CallOptions, ProxyCall, ProxyRequest } from './call.ts';
import { Place } from './place.ts';

export function createHttpProxy(options: ForwarderOptions): Lender {
  const { upstream, limits } = options;
  const agent = new PlainAgent(options, true);
  /** A connection for each request: for what must not be sent on a used one. */
  const single = new PlainAgent(options, false);
  const target =
    upstream.kind === 'unix' ? { socketPath: upstream.path } : { host: upstream.host, port: upstream.port };
  // toProxy and prependPath keep the package from parsing the target, selfHandleResponse from writing the answer.
  const proxy = loadHttpProxy().createProxyServer({
    target: target as HttpProxy.ServerOptions['target'] & object,
    agent,
    selfHandleResponse: true,
    toProxy: true,
    prependPath: false,
  });
  const passes = proxy as unknown as { webPasses: { name: string }[] };
  passes.webPasses = passes.webPasses.filter((pass) => pass.name === 'stream');
  proxy.on('proxyRes', (answer, request) => callOf(request).answer(answer));
  proxy.on('error', (error, request) => callOf(request).broken(error));
  const startOn = (chosen: Agent): CallOptions => ({
    ...options,
    start: (request) => proxy.web(request as never, SINK as never, { buffer: request.call as never, agent: chosen }),
  });
  const starts = { kept: startOn(agent), fresh: startOn(single) };
  const pool = new Pool<Transport, Place>({
    ...options,
    maxMembers: limits.maxConnections,
    dial: (lent) => new Place(lent, starts),
  });
  return {
    keepsBody: false,
    borrow: (borrower) => pool.borrow(borrower),
    forget: (borrower) => pool.forget(borrower),
    lasts: (borrower) => pool.lasts(borrower),
    close() {
      pool.close();
      agent.destroy();
    },
  };
}

/** The package calls util._extend, which warns on stderr from Node 22 on (DEP0060): it is given Object.assign instead. */
function loadHttpProxy(): typeof HttpProxy {
  const host = util as unknown as { _extend: unknown };
  const original = host._extend;
  host._extend = Object.assign;
  try {
    return createRequire(import.meta.url)('http-proxy') as typeof HttpProxy;
  } finally {
    host._extend = original;
  }
}

/** What stands in for the response, which the package must not touch. */
const SINK = Object.freeze({ headersSent: true, finished: false });

function callOf(request: unknown): ProxyCall {
  return (request as ProxyRequest).call;
}

class PlainAgent extends Agent {
  readonly #limits: ForwardLimits;

  constructor({ upstream, limits }: ForwarderOptions, keepAlive: boolean) {
    const options: AgentOptions = { keepAlive, maxSockets: limits.maxConnections, timeout: limits.idleTimeoutMs };
    super(upstream.kind === 'unix' ? options : { ...options, ...eachFamilyOf(upstream.host) });
    this.#limits = limits;
  }

  /** Called by the request's constructor: before the parser takes its limits, which cut a head silently (CVE-2026-58044). */
  addRequest(request: ClientRequest, options: unknown): void {
    request.maxHeadersCount = 0;
    (request as { maxHeaderSize?: number }).maxHeaderSize = this.#limits.maxHeaderBytes;
    const parent = Agent.prototype as unknown as { addRequest(request: ClientRequest, options: unknown): void };
    parent.addRequest.call(this, request, options);
  }
}
