import { parse, TomlError } from 'smol-toml';
import { ProjectError } from '../errors.ts';
import { readProjectFile } from './files.ts';
import { isObject, objectOf, ownValue } from './intrinsics.ts';
import { pathInProject } from './path.ts';
import { parseYaml } from './yaml.ts';

/** As SAM looks for it: SAM developer guide, "AWS SAM CLI configuration file". */
const FILES = ['samconfig.toml', 'samconfig.yaml', 'samconfig.yml'];

/** What the commands say in it, the more telling ones last: what is deployed is what counts. */
const COMMANDS = ['global', 'build', 'deploy'];

/** What a project's samconfig says that is of use here. */
export interface SamConfig {
  stackName?: string;
  region?: string;
  /** Path from its folder. */
  template?: string;
  /** Values of the template's parameters; those that it does not declare are not for it, as for SAM. */
  parameters: Record<string, string>;
}

/**
 * Reads what `sam build` and `sam deploy` would read.
 * @param root its folder
 * @param environment the one of `--config-env`. Default: `default`, which need not be there
 * @throws ProjectError naming the file and what is wrong there
 */
export async function readSamConfig(root: string, environment?: string): Promise<SamConfig> {
  for (const file of FILES) {
    const text = await readProjectFile(root, file);
    if (text === undefined) continue;
    const all = objectOf(file.endsWith('.toml') ? parseToml(text, file) : parseYaml(text, file));
    if (environment !== undefined && !Object.hasOwn(all, environment))
      throw new ProjectError(
        `${file}: has no environment "${environment}"; it has ${
          Object.keys(all)
            .filter((key) => isObject(all[key]))
            .join(', ') || 'none'
        }`,
      );
    return settingsIn(objectOf(ownValue(all, environment ?? 'default')), file);
  }
  if (environment === undefined) return { parameters: {} };
  throw new ProjectError(`--config-env ${environment}: the project has no ${FILES.join(', no ')}`);
}

function settingsIn(environment: Record<string, unknown>, file: string): SamConfig {
  const result: SamConfig = { parameters: {} };
  for (const command of COMMANDS) {
    const settings = objectOf(objectOf(ownValue(environment, command))['parameters']);
    const { stack_name, region, template_file, template, parameter_overrides } = settings;
    if (typeof stack_name === 'string') result.stackName = stack_name;
    if (typeof region === 'string') result.region = region;
    const named = template_file ?? template;
    // What `sam build` has made is no source.
    if (typeof named === 'string' && !named.includes('.aws-sam')) {
      const path = pathInProject(file, named);
      if (path === undefined)
        throw new ProjectError(`${file}: template_file: ${named} is outside the project`);
      result.template = path;
    }
    Object.assign(result.parameters, parametersOf(parameter_overrides));
  }
  return result;
}

/** `Name=value`, `Name="a value"`, `ParameterKey=Name,ParameterValue=value`, as SAM takes them; a list of these, or a map. Pure. */
export function parametersOf(node: unknown): Record<string, string> {
  if (Array.isArray(node)) return Object.assign({}, ...node.map(parametersOf));
  if (isObject(node))
    return Object.fromEntries(
      Object.entries(node).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(',') : String(value),
      ]),
    );
  if (typeof node !== 'string') return {};
  const VALUE = String.raw`("(?:\\.|[^"\\])*"|'[^']*'|(?:\\.|[^\s"'\\])*)`;
  const long = new RegExp(`ParameterKey=([A-Za-z0-9]+),ParameterValue=${VALUE}`, 'g');
  const short = new RegExp(`(?:^|\\s)"?([A-Za-z0-9]+)=${VALUE}`, 'g');
  const pattern = node.includes('ParameterKey=') ? long : short;
  return Object.fromEntries(
    [...node.matchAll(pattern)].map(([, name = '', value = '']) => [name, unquoted(value)]),
  );
}

const unquoted = (value: string): string =>
  (/^(["']).*\1$/s.test(value) ? value.slice(1, -1) : value).replace(/\\(.)/g, '$1');

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ProjectError(`${file}: line ${error.line}: is not TOML; correct it, or give --stack-name NAME`);
  }
}
