// Bundles the Lambda handlers and the command line into dist/, each with everything it imports.
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { exitCodeOfError, explain } from '../core/system-errors.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

const handlers = readdirSync(join(root, 'handlers'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replace(/\.ts$/, ''));

process.on('uncaughtException', (error) => {
  // esbuild has printed what it found in the sources.
  if (error.errors === undefined) console.error(explain(error));
  process.exit(exitCodeOfError(error));
});

/** Packages in CommonJS call require; an ES module has none of its own. */
const banner = {
  js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
};
const common = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  banner,
  outExtension: { '.js': '.mjs' },
  absWorkingDir: root,
  logLevel: 'warning',
};

rmSync(dist, { recursive: true, force: true });
await Promise.all([
  build({
    ...common,
    // Lambda runs nodejs24.x; the embedded AWS runs handlers on this machine's Node.
    target: 'node20',
    minify: true,
    keepNames: true,
    entryPoints: Object.fromEntries(handlers.map((name) => [`${name}/index`, `handlers/${name}.ts`])),
    outdir: join(dist, 'handlers'),
  }),
  build({
    ...common,
    target: 'node20',
    entryPoints: { plimsoll: 'cli/main.ts' },
    outdir: join(dist, 'cli'),
    splitting: true,
  }),
]);
// The command line runs these in the Python of the project, so they stay files.
cpSync(join(root, 'core', 'build', 'python'), join(dist, 'cli', 'python'), {
  recursive: true,
  filter: (path) => !path.includes('__pycache__'),
});
// The uv that builds run, for the machine of CodeBuild's images (core/build/uv.ts looks for it there).
cpSync(join(root, '.plimsoll', 'build-tools', 'bin', 'uv'), join(dist, 'cli', 'uv', 'linux-x64', 'uv'));
