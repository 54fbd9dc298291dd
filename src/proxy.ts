#!/usr/bin/env node
// The entry of the program: hands arguments and environment on and sets the exit code. The only place that reads
// process.env and calls process.exit.

import { run } from './cli/cli.ts';

process.exit(await run(process.argv.slice(2), process.env));
