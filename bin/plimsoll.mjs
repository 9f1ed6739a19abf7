#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

const bundle = new URL('../dist/cli/plimsoll.mjs', import.meta.url);
if (!existsSync(bundle)) {
  console.error('plimsoll: the command line is not built yet\n  Run: node scripts/setup.mjs');
  process.exit(2);
}
// The pinned uv of the checkout comes first, so that a build does not depend on the machine's own.
process.env.PATH = `${fileURLToPath(new URL('../.plimsoll/tools/bin', import.meta.url))}${delimiter}${process.env.PATH}`;
await import(bundle.href);
