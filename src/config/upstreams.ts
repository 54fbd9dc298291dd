// Which app stands behind each address of --listen. Pure.

import { isDeepStrictEqual } from 'node:util';
import type { UpstreamAddress } from '../net/addresses.ts';
import type { Config } from './config.ts';

type Upstreams = Pick<Config, 'listen' | 'upstream'>;

/** In the order of --listen. What is given twice is the same object twice. */
export function upstreamPerListener({ listen, upstream }: Upstreams): readonly UpstreamAddress[] {
  return listen.map((_, at) => {
    const own = upstream[upstream.length === 1 ? 0 : at];
    return upstream.find((one) => isDeepStrictEqual(one, own)) as UpstreamAddress;
  });
}

/** Each once. */
export function upstreamsOf(config: Upstreams): readonly UpstreamAddress[] {
  return [...new Set(upstreamPerListener(config))];
}

/** Whether it is an `h2c://` address. */
export function isH2cOnly(upstream: UpstreamAddress): boolean {
  return upstream.kind === 'tcp' && upstream.h2c === true;
}
