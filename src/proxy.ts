#!/usr/bin/env node
// The entry of the program: hands arguments and environment on and sets the exit code. The only place that reads
// process.env and calls process.exit. What V8 compiles is kept beside the program, where that can be written: Node looks
// there for every module that is loaded after this line, so the program is.

import module from 'node:module';
import { fileURLToPath } from 'node:url';

// Before all else: the first would have Node listen for a debugger, which may run any code, the second would end the process.
for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});

// From Node 22.1 on. Where the folder cannot be written, nothing is kept, and nothing fails.
const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };
enableCompileCache?.(fileURLToPath(new URL('compile-cache', import.meta.url)));

const { run } = await import('./cli/cli.ts');
process.exit(await run(process.argv.slice(2), process.env));
