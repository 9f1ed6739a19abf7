import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SamBuildError } from '../errors.ts';
import type { SamResource } from '../project/foreign.ts';
import { SAM_TRANSFORM } from '../project/template.ts';
import { run } from './run.ts';
import { findPython, installTool, TOOLS_PYTHON } from './uv.ts';

const TIMEOUT_MS = 30 * 60_000;
/** What stays here of the tool's words when a build fails, in characters. */
const MAX_REASON = 2000;

/** Variables that say who this build is: what npm, make or gradle run has no business with them. */
const OURS = /^(AWS_|CODEBUILD_|RELEASE$|ARTIFACT_BUCKET$|PERMISSIONS_BOUNDARY$|ALLOWED_ROLES$|UNBUILT$)/;

const environment = (home: string, libraries: string): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name))),
  PYTHONPATH: libraries,
  PYTHONDONTWRITEBYTECODE: '1',
  SAM_CLI_TELEMETRY: '0',
  // Where SAM keeps what it remembers of its user.
  __SAM_CLI_APP_DIR: home,
  NO_COLOR: '1',
});

/** The tool's own reason: from its first line that names an error on. */
function reasonOf(output: string): string {
  const lines = output.trim().split('\n');
  const first = lines.findIndex((line) => /error|failed/i.test(line));
  return lines.slice(Math.max(first, 0)).join('\n').slice(0, MAX_REASON);
}

export interface SamBuildInput {
  /** Folder of the project. */
  root: string;
  /** Of a nested template STACK.RESOURCE. */
  logicalId: string;
  resource: SamResource;
  /** A folder of this build's own. */
  workdir: string;
  /** Where what is built goes; not there yet. */
  tree: string;
}

/**
 * Builds one resource with `sam build` (aws-sam-cli, in a version of ours with hashes), from a template that holds nothing
 * else. SAM runs what the runtime's users expect: npm, make, Maven, Gradle, go, cargo, dotnet, bundler.
 * @throws SamBuildError with the tool's words; InstallError, ToolMissingError
 */
export async function samBuild(input: SamBuildInput): Promise<void> {
  const { root, resource, workdir, tree } = input;
  // Names of stacks have no place in a template, and the target of a makefile is named by what comes after them.
  const logicalId = input.logicalId.split('.').at(-1) ?? input.logicalId;
  const home = join(workdir, 'sam');
  const out = join(home, 'out');
  const libraries = join(home, 'cli');
  await mkdir(home, { recursive: true });
  const interpreter = await findPython(TOOLS_PYTHON, workdir);
  await installTool('aws-sam-cli', 'sam-cli-requirements.txt', interpreter, libraries);
  const template = join(home, 'template.json');
  await writeFile(
    template,
    JSON.stringify({ Transform: SAM_TRANSFORM, Resources: { [logicalId]: resource } }),
  );
  const { code, stdout, stderr } = await run(
    interpreter,
    [
      ...['-m', 'samcli', 'build', logicalId, '--template-file', template],
      ...['--base-dir', root, '--build-dir', out, '--no-cached'],
    ],
    { cwd: home, env: environment(home, libraries), timeoutMs: TIMEOUT_MS },
  );
  if (code !== 0)
    throw new SamBuildError(
      `${input.logicalId}: sam build failed: ${reasonOf(`${stderr}\n${stdout}`)}; the same on your machine: sam build ${input.logicalId.replaceAll('.', '/')}`,
    );
  await rename(join(out, logicalId), tree);
  await rm(home, { recursive: true });
}
