// One question to the app, in the way of its kind, with an end: it is over when there is a verdict, when its time is up, or
// when nobody waits for it any more. Then nothing of it stays open.

import type { Probe } from '../../config/probe.ts';
import { errorCode } from '../../errors.ts';
import { dialApp } from './dial.ts';
import { askGrpc } from './grpc.ts';
import { askHttp } from './http.ts';
import { Ended, OK, unreachable, type Verdict } from './verdict.ts';

const WAYS: Readonly<Record<Probe['kind'], (probe: Probe, signal: AbortSignal) => Promise<Verdict>>> = {
  http: askHttp,
  https: askHttp,
  tcp: askTcp,
  grpc: askGrpc,
};

/** Never rejects. `given` ends it from outside. */
export async function askApp(probe: Probe, timeoutMs: number, given?: AbortSignal): Promise<Verdict> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  given?.addEventListener('abort', end);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, timeoutMs);
  try {
    return await WAYS[probe.kind](probe, ending.signal);
  } catch (error) {
    if (late) return { status: 504, text: `the app gave no whole answer within ${timeoutMs / 1000} s` };
    if (error instanceof Ended) return error.verdict;
    return unreachable(`the app could not be asked: ${errorCode(error) || String(error)}`);
  } finally {
    clearTimeout(timer);
    given?.removeEventListener('abort', end);
    end();
  }
}

async function askTcp({ port }: Probe, signal: AbortSignal): Promise<Verdict> {
  const socket = await dialApp(port, signal);
  socket.destroy();
  return OK;
}
