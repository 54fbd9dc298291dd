// A gRPC app that answers health checks (grpc.health.v1) as the test has set it, by @grpc/grpc-js, without generated code.

import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';

/** The numbers of HealthCheckResponse.ServingStatus. */
export const SERVING = 1;
export const NOT_SERVING = 2;

const health = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

export interface HealthApp {
  readonly port: number;
  /** By name of the service; '' is the server as a whole. What is not here is NOT_FOUND. */
  readonly services: Map<string, number>;
  /** The services that were asked for, in order, and as whom. */
  readonly asked: { readonly service: string; readonly agent: string }[];
  close(): void;
}

/** `has` is false for an app that speaks gRPC and knows nothing of health checks. */
export async function openHealthApp(has = true): Promise<HealthApp> {
  const services = new Map([['', SERVING]]);
  const asked: HealthApp['asked'] = [];
  const server = new Server();
  const Check = ({ request, metadata }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void => {
    // Field 1 is text of less than 128 bytes.
    const service = request.subarray(2).toString();
    asked.push({ service, agent: String(metadata.get('user-agent')[0]) });
    const known = services.get(service);
    if (known === undefined) return answer({ code: status.NOT_FOUND, details: 'unknown service' });
    answer(null, known === 0 ? Buffer.alloc(0) : Buffer.from([0x08, known]));
  };
  if (has) server.addService(health, { Check });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) =>
      error === null ? resolve(at) : reject(error),
    ),
  );
  return { port, services, asked, close: () => server.forceShutdown() };
}
