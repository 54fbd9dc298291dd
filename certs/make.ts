// Writes a development certificate: tls.crt (leaf, then its throw-away CA) and tls.key. `npx tsx certs/make.ts --help`.
// The CA's key is never written, so that trusting tls.crt trusts this one certificate and nothing else.
// Existing files stay as they are without --force.

import { chmod, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createAuthority } from './authority.ts';

const usage = `usage: npx tsx certs/make.ts [--dir DIR] [--name NAME…] [--days N] [--force]

  --dir DIR     where tls.crt and tls.key go (certs)
  --name NAME…  DNS names and addresses beside localhost, 127.0.0.1 and ::1
  --days N      how long it is valid (365)
  --force       overwrite what is there
`;

const alwaysNamed = ['localhost', '127.0.0.1', '::1'];
const dayMs = 24 * 60 * 60 * 1000;

type Request = { dir: string; names: string[]; days: number; force: boolean };

async function main(argv: string[]): Promise<void> {
  const request = requestFrom(argv);
  if (request === undefined) {
    process.stdout.write(usage);
    return;
  }
  const certPath = join(request.dir, 'tls.crt');
  const keyPath = join(request.dir, 'tls.key');
  if (!request.force) await refuseExisting([certPath, keyPath]);

  const notAfter = new Date(Date.now() + request.days * dayMs);
  const authority = await createAuthority({ commonName: 'tls-sidecar throw-away development CA' });
  const issued = await authority.issue({
    dns: request.names.filter((name) => isIP(name) === 0),
    ip: request.names.filter((name) => isIP(name) !== 0),
    notAfter,
  });

  await mkdir(request.dir, { recursive: true });
  await place(keyPath, issued.key, 0o600);
  await place(certPath, issued.chain + authority.pem, 0o644);
  process.stdout.write(
    `wrote ${certPath} and ${keyPath}: ${request.names.join(', ')}, valid until ${notAfter.toISOString()}\n`,
  );
}

function requestFrom(argv: string[]): Request | undefined {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      dir: { type: 'string', default: 'certs' },
      name: { type: 'string', multiple: true, default: [] },
      days: { type: 'string', default: '365' },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length > 0 && values.name.length === 0) {
    throw new Error(`unexpected ${positionals.join(' ')}: names follow --name`);
  }
  const days = Number(values.days);
  if (!Number.isInteger(days) || days < 1) throw new Error(`--days takes a whole number from 1, not ${values.days}`);
  const names = [...new Set([...alwaysNamed, ...values.name, ...positionals])];
  return { dir: values.dir, names, days, force: values.force };
}

async function refuseExisting(paths: string[]): Promise<void> {
  for (const path of paths) {
    const there = await stat(path).then(
      () => true,
      () => false,
    );
    if (there) throw new Error(`${path} is there already: --force overwrites it`);
  }
}

// A new file renamed over the old one: the mode is right from the first byte, and a reader never sees half a file.
async function place(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  try {
    await writeFile(temporary, text, { mode, flag: 'wx' });
    await chmod(temporary, mode); // what a strict umask took away
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`certs/make.ts: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
