// How a probe reaches the app: over the loopback of the Pod, IPv4 first, IPv6 where only that is listened on. Both are known,
// so that no name is looked up: an image's /etc/hosts may be without `localhost`.

import { connect, type LookupFunction, type Socket } from 'node:net';
import { eachFamilyOf } from '../../net/families.ts';
import { ignoreError } from '../../net/guard.ts';

const HOST = 'localhost';
const LOOPBACK = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];
const lookup: LookupFunction = (_hostname, _options, callback) => callback(null, LOOPBACK);

/** A connected socket that is destroyed when `signal` aborts; rejects with the system's error. */
export function dialApp(port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: HOST, port, lookup, noDelay: true, ...eachFamilyOf(HOST) });
    const end = (): void => void socket.destroy();
    signal.addEventListener('abort', end);
    socket.on('error', ignoreError).once('error', reject);
    socket.once('close', () => {
      signal.removeEventListener('abort', end);
      reject(new Error('closed'));
    });
    socket.once('connect', () => resolve(socket));
    if (signal.aborted) end();
  });
}
