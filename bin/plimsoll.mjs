#!/usr/bin/env node
import { existsSync } from 'node:fs';

const bundle = new URL('../dist/cli/plimsoll.mjs', import.meta.url);
if (!existsSync(bundle)) {
  console.error('plimsoll: the command line is not built yet\n  Run: node scripts/setup.mjs');
  process.exit(2);
}
await import(bundle.href);
