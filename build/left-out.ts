// Parts of packages that the program never calls, and that cost memory and time in every Pod: what stands in for each of
// them, and why nothing misses it.

import type { Plugin } from 'esbuild';

type Part = {
  /** The import, and the package that imports it. */
  readonly path: RegExp;
  readonly of: string;
  /** A CommonJS module. */
  readonly instead: string;
};

const PARTS: readonly Part[] = [
  // Summaries, the push gateway and clusters are other ways to gather metrics; exemplars need a tracer.
  { path: /^\.\/lib\/(?:summary|pushgateway|cluster)$/, of: 'prom-client', instead: 'module.exports = undefined;' },
  {
    path: /^@opentelemetry\/api$/,
    of: 'prom-client',
    instead: 'exports.trace = { getSpan() {} }; exports.context = { active() {} };',
  },
  // What spans say of the process are the variables of OpenTelemetry; no machine is asked for its id.
  { path: /^\.\/HostDetector/, of: '@opentelemetry/resources', instead: 'exports.hostDetector = undefined;' },
  // Transports run in a worker thread; the log has none.
  { path: /^thread-stream$/, of: 'pino', instead: 'module.exports = undefined;' },
  // The help is English and ASCII: no translations to look for on the disk, no widths of emoji, no colours.
  {
    path: /^y18n$/,
    of: 'yargs',
    instead: `const { format } = require('node:util');
      module.exports = () => ({
        __: format,
        __n: (one, many, count, ...rest) => format(count === 1 ? one : many, ...(one.includes('%d') ? [count] : []), ...rest),
        getLocale: () => 'en',
        setLocale() {},
        updateLocale() {},
      });`,
  },
  { path: /^string-width$/, of: '(?:yargs|cliui|wrap-ansi)', instead: 'module.exports = (text) => text.length;' },
  { path: /^strip-ansi$/, of: '(?:cliui|wrap-ansi|string-width)', instead: 'module.exports = (text) => text;' },
];

export const leftOut: Plugin = {
  name: 'left out',
  setup(build) {
    for (const [index, { path, of }] of PARTS.entries()) {
      const importers = new RegExp(`[\\\\/]node_modules[\\\\/]${of}[\\\\/]`);
      build.onResolve({ filter: path }, ({ path, importer }) =>
        importers.test(importer) ? { path: `${index}:${path}`, namespace: 'left-out' } : undefined,
      );
    }
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: PARTS[Number.parseInt(path, 10)]?.instead ?? '',
      resolveDir: build.initialOptions.absWorkingDir ?? '.',
    }));
  },
};
