// Whether the ports are free: they are opened and closed again. A port that a running sidecar of ours has is no failure.

import { createServer } from 'node:net';
import type { Config } from '../../config/config.ts';
import { errorCode } from '../../errors.ts';
import { type ListenAddress, openPort, portProblem } from '../../net/ports.ts';
import type { Finding } from './finding.ts';
import { findRunning, type Running } from './running.ts';

type Asked = { readonly flag: string; readonly address: ListenAddress };
type Found = Asked & { readonly error: unknown };

export async function checkPorts({ listen, admin }: Pick<Config, 'listen' | 'admin'>): Promise<Finding[]> {
  const asked: Asked[] = listen.map((address) => ({ flag: '--listen', address }));
  if (admin !== 'off') asked.push({ flag: '--admin', address: admin });
  const found = await Promise.all(asked.map(tryPort));
  const taken = admin !== 'off' && found.some(({ error }) => errorCode(error) === 'EADDRINUSE');
  const running = taken ? await findRunning(admin) : undefined;
  const ports = asked.map(({ address }) => address.port);
  return found.map((one) => findingOf(one, running, ports));
}

function findingOf({ flag, address, error }: Found, running: Running | undefined, asked: readonly number[]): Finding {
  if (error === undefined) return { level: 'ok', text: `${flag}: port ${address.port} is free` };
  const own = running !== undefined && (flag === '--admin' || running.ports.includes(address.port));
  if (!own || errorCode(error) !== 'EADDRINUSE')
    return { level: 'failed', text: portProblem(flag, address, error, asked) };
  const { pid, version } = running;
  const text = `${flag}: port ${address.port} is in use by a sidecar that runs already (pid ${pid}, version ${version})`;
  return { level: 'ok', text, running: pid };
}

async function tryPort(asked: Asked): Promise<Found> {
  const probe = createServer();
  try {
    await openPort(probe, asked.address);
    return { ...asked, error: undefined };
  } catch (error) {
    return { ...asked, error };
  } finally {
    probe.close();
  }
}
