// Checked before anything is measured: that a lane answers rightly. Fast and wrong is not a result.
// A lane that fails is left out, with the reason.
import { createHash, randomBytes } from 'node:crypto';
import { Agent as PlainAgent, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { connect } from 'node:tls';
import { whyNoGrpc } from './grpc.ts';
import type { RunningLane, Site } from './site.ts';

export type LaneFacts = {
  readonly http2: boolean;
  /** Why gRPC calls do not get through it; undefined where they do. */
  readonly noGrpc: string | undefined;
};

const keepAliveRequests = 200;

export async function checkLane(site: Site, running: RunningLane): Promise<LaneFacts> {
  const { lane, port } = running;
  const secure = lane.kind !== 'app';
  const agent = secure
    ? new TlsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, servername: 'localhost' })
    : new PlainAgent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string, body?: Buffer) => exchange({ host: '127.0.0.1', port, path, agent }, secure, body);
  try {
    const large = await ask('/bytes/1048576');
    hold(sha256(large) === site.workshop.mebibyteHash, 'a body of 1 MiB came through changed');
    const upload = randomBytes(16 << 10);
    const echoed = (await ask('/sha256', upload)).toString();
    hold(echoed === `${upload.length} ${sha256(upload)}`, `an upload of 16 KiB reached the app as ${echoed}`);
    const head = (await ask('/head')).toString('latin1');
    if (lane.kind === 'http')
      hold(/^x-forwarded-proto: https\r$/im.test(head), 'the app saw no X-Forwarded-Proto: https');
    if (secure) {
      const before = await acceptedConnections(site);
      for (let i = 0; i < keepAliveRequests; i++) await ask('/bytes/100');
      const dialled = (await acceptedConnections(site)) - before - 1;
      hold(dialled <= 1, `${keepAliveRequests} requests on one connection made ${dialled} connections to the app`);
    }
    const http2 = secure && (await speaksHttp2(port));
    return { http2, noGrpc: http2 || !secure ? await whyNoGrpc(port, secure) : 'no h2' };
  } finally {
    agent.destroy();
  }
}

/** How many connections the app has accepted, the one that asks included. */
export async function acceptedConnections(site: Site): Promise<number> {
  const body = await exchange({ host: '127.0.0.1', port: site.appPort, path: '/connections', agent: false }, false);
  return Number(body.toString());
}

function exchange(options: RequestOptions, secure: boolean, body?: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = secure ? requestTls : requestPlain;
    const headers = body === undefined ? {} : { 'content-length': body.length };
    const sent = request({ ...options, headers, method: body === undefined ? 'GET' : 'POST' }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`${options.path}: status ${answer.statusCode}: ${Buffer.concat(chunks)}`));
      });
    });
    sent.setTimeout(5000, () => sent.destroy(new Error(`${options.path}: no answer within 5 s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

function speaksHttp2(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false };
    const socket = connect({ ...options, ALPNProtocols: ['h2'], timeout: 5000 }, () =>
      end(socket.alpnProtocol === 'h2'),
    );
    const end = (speaks: boolean) => {
      socket.destroy();
      resolve(speaks);
    };
    socket.on('timeout', () => end(false));
    socket.on('error', () => end(false)); // an alert: no_application_protocol
  });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hold(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
