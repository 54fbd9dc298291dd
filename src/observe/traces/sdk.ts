// The OpenTelemetry SDK, set up: what spans say of the process, which are sampled, where they go. Together with its neighbours
// here the only import of its packages, and loaded for --trace-otlp alone. All settings but the address are the standard
// variables OTEL_…, which the SDK reads itself.

import { DiagLogLevel, diag } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type ExportObserver, openQueue, WatchedExporter } from './export.ts';
import { RequestSpan } from './request-span.ts';
import type { Traces, TracesOptions } from './traces.ts';

const NAME = 'tls-sidecar';
/** What the last spans may take of the time that a container has to end. */
const FLUSH_MS = 2000;
/** Batches on their way to the collector at once; only the last flush and a slow collector make more than one. */
const MAX_BATCHES = 8;

export function startSdk(url: string, { log, metrics, version, clock }: TracesOptions): Traces {
  const { provider, exporter } = toldOf(log, () => {
    const exporter = new WatchedExporter(
      new OTLPTraceExporter({ url, concurrencyLimit: MAX_BATCHES }),
      observeExport(url, log, metrics),
    );
    const resource = defaultResource()
      .merge(resourceFromAttributes({ 'service.name': NAME, 'service.version': version }))
      .merge(detectResources({ detectors: [envDetector] }));
    return { provider: new BasicTracerProvider({ resource, spanProcessors: [openQueue(exporter)] }), exporter };
  });
  const tracer = provider.getTracer(NAME, version);
  return {
    started(exchange) {
      exchange.span = new RequestSpan(tracer, exchange, clock);
    },
    async close() {
      await withinLimit(provider.shutdown());
      const { pending } = exporter;
      if (pending > 0) log.warn({ collector: url, spans: pending }, 'the last spans were not exported in time');
    },
  };
}

function observeExport(url: string, log: Log, metrics: Metrics): ExportObserver {
  return {
    dropped: (reason, spans) => metrics.spans_dropped_total.inc({ reason }, spans),
    failing: (error) => log.warn({ collector: url, err: error }, 'spans cannot be exported, and are dropped'),
    recovered: () => log.info({ collector: url }, 'spans are exported again'),
  };
}

/** What the SDK finds wrong with its variables; later it would say so for every batch. */
function toldOf<T>(log: Log, make: () => T): T {
  const warn = (detail: string): void => log.warn({ detail }, 'a setting of OpenTelemetry needs attention');
  const ignore = (): void => {};
  diag.setLogger({ error: warn, warn, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.WARN);
  try {
    return make();
  } finally {
    diag.disable();
  }
}

/** Failures are the exporter's to tell. */
async function withinLimit(flushed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_MS);
  });
  await Promise.race([flushed.catch(() => {}), limit]);
  clearTimeout(timer);
}
