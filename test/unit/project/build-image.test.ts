import { rm } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { rejectUnbuildable } from '../../../core/project/build-image.ts';
import { loadProject } from '../../../core/project/project.ts';
import { BASE, changed, writeProject } from '../../support/project.ts';

async function rejected(runtime: string): Promise<string | undefined> {
  const root = await writeProject({
    ...BASE,
    ...changed('template.yaml', 'Runtime: python3.11', `Runtime: ${runtime}`),
  });
  try {
    rejectUnbuildable(await loadProject(root));
    return undefined;
  } catch (error) {
    return String(error);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

it.each(['python3.8', 'python3.9', 'python3.10', 'python3.11', 'python3.12', 'python3.13', 'python3.14'])(
  "CodeBuild's image builds %s",
  async (runtime) => expect(await rejected(runtime)).toBeUndefined(),
);

it.each(['python3.15', 'python3.16'])("CodeBuild's image has no %s", async (runtime) =>
  expect(await rejected(runtime)).toMatch(
    new RegExp(
      `^UnsupportedProjectError: template.yaml: Runtime ${runtime} \\(Hello, UtilsLayer\\): CodeBuild's image \\S+ has no Python 3\\.\\d+\\n  Set Runtime to one of python3.14, .*, python3.8\\.$`,
    ),
  ),
);

it.each(['python3.7', 'python2.7'])('Lambda no longer takes %s', async (runtime) =>
  expect(await rejected(runtime)).toMatch(
    new RegExp(
      `template.yaml: Resources.Hello.Properties.Runtime: Lambda no longer takes ${runtime}; use python3.8 or newer`,
    ),
  ),
);
