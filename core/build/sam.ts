import { join } from 'node:path';
import { z } from 'zod';
import { TemplateError } from '../errors.ts';
import { LANGUAGE_EXTENSIONS } from '../project/language-extensions.ts';
import { run } from './run.ts';
import { script } from './scripts.ts';
import { findPython, installTool, TOOLS_PYTHON } from './uv.ts';

const TIMEOUT_MS = 2 * 60_000;
const answerSchema = z.union([
  z.object({ template: z.record(z.string(), z.unknown()) }),
  z.object({ error: z.string() }),
]);

export interface ExpandInput {
  /** In long form; code and layers must be in S3 or have an ARN. */
  template: Readonly<Record<string, unknown>>;
  /** Values of its parameters, as far as they are known. */
  parameters: Readonly<Record<string, string>>;
  region: string;
  /** A folder of this build's own. */
  workdir: string;
}

/**
 * Expands `Transform: AWS::Serverless-2016-10-31` with CloudFormation's own library, so that versions and aliases are
 * resources that one can see.
 * @throws TemplateError with the library's words; InstallError, ToolMissingError
 */
export async function expandSam(input: ExpandInput): Promise<Record<string, unknown>> {
  const { template, parameters, region, workdir } = input;
  const interpreter = await findPython(TOOLS_PYTHON, workdir);
  const libraries = join(workdir, 'sam-translator');
  await installTool('aws-sam-translator', 'sam-requirements.txt', interpreter, libraries);
  const result = await run(interpreter, ['-I', '-S', '-B', script('expand_sam.py')], {
    cwd: workdir,
    env: { LC_ALL: 'C.UTF-8', HOME: workdir },
    input: JSON.stringify({ libraries, region, parameters, template }),
    timeoutMs: TIMEOUT_MS,
  });
  if (result.code !== 0)
    throw new TemplateError(`template.yaml: the SAM transform cannot read it: ${result.stderr.slice(-1000)}`);
  const answer = answerSchema.parse(JSON.parse(result.stdout));
  if ('error' in answer)
    throw new TemplateError(
      `template.yaml: the SAM transform refuses it: ${answer.error}; see "sam validate"`,
    );
  // Its transform comes before SAM's, which has done its part; the library drops both.
  const hasExtensions = [template['Transform']].flat().includes(LANGUAGE_EXTENSIONS);
  return hasExtensions ? { ...answer.template, Transform: LANGUAGE_EXTENSIONS } : answer.template;
}
