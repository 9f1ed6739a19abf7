import { basename } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { ProjectError } from '../errors.ts';
import { readProjectFile } from './files.ts';
import { objectOf } from './intrinsics.ts';

const SAM_CONFIG = 'samconfig.toml';

/**
 * The stack that `sam deploy` would deploy: stack_name of the environment `default`, of the command deploy, else of all (SAM
 * developer guide, "AWS SAM CLI configuration file").
 * @returns undefined where it names none. @throws ProjectError
 */
export async function readSamStackName(root: string): Promise<string | undefined> {
  const text = await readProjectFile(root, SAM_CONFIG);
  if (text === undefined) return undefined;
  const environment = objectOf(objectOf(parsed(text))['default']);
  for (const command of ['deploy', 'global']) {
    const name = objectOf(objectOf(environment[command])['parameters'])['stack_name'];
    if (typeof name === 'string') return name;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ProjectError(
      `${SAM_CONFIG}: line ${error.line}: is not TOML; correct it, or give --stack-name NAME`,
    );
  }
}

/** A stack name made of a folder's: what CloudFormation does not take becomes a hyphen. */
export function nameOfFolder(root: string): string {
  return basename(root)
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replace(/^[^A-Za-z]+/, '')
    .replace(/-+$/, '')
    .slice(0, 128);
}
