// The app behind the sidecar, where Node's own server will do, and a port that nothing listens on.

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** An app on 127.0.0.1 that goes with the test. */
export async function startApp(
  t: Pick<TestContext, 'after'>,
  listener: RequestListener,
  port = 0,
): Promise<Server & { port: number }> {
  const server = createServer(listener);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

/** A port of 127.0.0.1 that nothing listens on (now). */
export async function unusedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
