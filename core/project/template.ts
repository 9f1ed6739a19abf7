import { posix } from 'node:path';
import { z } from 'zod';
import { TemplateError } from '../errors.ts';
import { describeIssues } from './config.ts';
import { type ForeignBuild, foreignBuild, isComplete, usesUv } from './foreign.ts';
import { isObject, ownValue, resolve, resolveText, type Scope } from './intrinsics.ts';
import { withoutLanguageExtensions } from './language-extensions.ts';
import { type LayerOfOthers, type ListedLayer, ownOf } from './layer-list.ts';
import { noEchoIn, withoutNames } from './no-echo.ts';
import { type Preference, preferenceOf, withoutPreferences } from './preference.ts';
import { parseTemplate } from './yaml.ts';

export const SAM_TRANSFORM = 'AWS::Serverless-2016-10-31';
const SERVERLESS_LAYER = 'AWS::Serverless::LayerVersion';
const SERVERLESS_FUNCTION = 'AWS::Serverless::Function';

/** Types whose content is built, and the property that says where it lies. */
const LAYERS: Readonly<Record<string, string>> = {
  [SERVERLESS_LAYER]: 'ContentUri',
  'AWS::Lambda::LayerVersion': 'Content',
};
const FUNCTIONS: Readonly<Record<string, string>> = {
  [SERVERLESS_FUNCTION]: 'CodeUri',
  'AWS::Lambda::Function': 'Code',
};

/** Lambda's name of a processor, and the name that its layers and zips carry. */
export type Architecture = 'x86_64' | 'arm64';

/** A layer of the project whose content lies there. */
export interface TemplateLayer {
  /** Of a nested template STACK.RESOURCE, at whatever depth. */
  logicalId: string;
  /** The layer's own name, or its logical id in kebab case: what people see. */
  name: string;
  /** Folder of the layer, or its archive, relative to the project. */
  contentUri: string;
  /** How it is built where we do not build it. */
  foreign?: ForeignBuild;
  /** What the template says that it is for; empty where it says nothing. */
  runtimes: string[];
  architectures: string[];
  /** True where `sam build` would put the folder's content under python/. */
  hasBuildMethod: boolean;
  /** Whether it is built as BuildMethod python-uv says. */
  usesUv: boolean;
  /** What its Metadata says that it is built for: `3.11` of BuildMethod, and BuildArchitecture. */
  build: { python?: string; architecture?: Architecture };
}

/** A function of the project whose code lies there. */
export interface TemplateFunction {
  /** Of a nested template STACK.RESOURCE, at whatever depth. */
  logicalId: string;
  /** Folder of the code, or its archive, relative to the project. */
  codeUri: string;
  /** How it is built where we do not build it. */
  foreign?: ForeignBuild;
  /** Whether it is built as BuildMethod python-uv says. */
  usesUv: boolean;
  /** Folder in the zip in which its code stands: SAM's ParentPackages. */
  parent: string;
  /** Whether the folder holds all that it needs, so that its requirements count for nothing: SkipBuild. */
  isComplete: boolean;
  handler: string;
  /** Lambda's name of the runtime: python3.11. */
  runtime: string;
  architecture: Architecture;
  /** What it may have, in MiB; undefined where only CloudFormation knows. */
  memoryMb: number | undefined;
  /** Logical ids of the project's own layers, those that a nesting template gives included, in the function's order. */
  layers: string[];
  /** All layers that it lists, those of others included, in its order. */
  listed: ListedLayer[];
  /** Environment as far as it is known before deployment; the rest is missing. */
  environment: Record<string, string>;
  /** Every variable's name, known value or not. */
  environmentNames: string[];
}

export interface ProjectTemplate {
  /** The template in long form, as CloudFormation will read it; traffic is the pipeline's, not CodeDeploy's. */
  document: Record<string, unknown>;
  layers: TemplateLayer[];
  functions: TemplateFunction[];
  /** Logical ids of functions that are container images still to be built. */
  images: string[];
  /** Whether functions are published behind an alias, which we then hold until they are proven. */
  hasAliases: boolean;
  /** How traffic goes over to the new versions of these, where the template says so. */
  preferences: Preference[];
  /** What is known of its intrinsics before deployment. */
  scope: Scope;
  /** Declared parameters and their defaults. */
  parameters: Record<string, { default?: string }>;
}

const map = z.record(z.string(), z.unknown());
/** Logical ids of resources and names of parameters: CloudFormation User Guide, "Resources", "Parameters"; quotas: 255 characters. */
const nameSchema = (what: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9]+$/, `${what} has letters and digits only`)
    .max(255, `${what} has at most 255 characters`);
const templateSchema = z.looseObject({
  Parameters: z
    .record(
      nameSchema('the name of a parameter'),
      z.looseObject({ Default: z.unknown().optional(), AllowedValues: z.array(z.unknown()).optional() }),
    )
    .default({}),
  Mappings: map.default({}),
  Conditions: map.default({}),
  Globals: z.looseObject({ Function: map.default({}) }).default({ Function: {} }),
  Resources: z.record(
    nameSchema('a logical id'),
    z.looseObject({ Type: z.string(), Properties: map.default({}), Metadata: map.optional() }),
  ),
});

type Resource = z.infer<typeof templateSchema>['Resources'][string];
type Properties = Record<string, unknown>;

/** CoreDataScienceLayer becomes core-data-science. */
function kebab(logicalId: string): string {
  const words = logicalId.replace(/Layer$/, '').match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? [logicalId];
  return words.join('-').toLowerCase();
}

/** Globals first, then the function's own: lists are added up, maps merged, the rest replaced (SAM, "Globals"). */
function merge(globals: unknown, own: unknown): unknown {
  if (own === undefined) return globals;
  if (Array.isArray(globals) && Array.isArray(own)) return [...globals, ...own];
  if (!isObject(globals) || !isObject(own)) return own;
  return Object.fromEntries(
    [...new Set([...Object.keys(globals), ...Object.keys(own)])].map((key) => [
      key,
      merge(ownValue(globals, key), ownValue(own, key)),
    ]),
  );
}

/** Where a template stands that another one of the project nests. */
export interface Place {
  /** What stands before its logical ids: `Data.`; empty for the project's own template. */
  inside: string;
  /** Layers of the project that its parameters are given: their logical ids, by the parameter's name. */
  givenLayers: ReadonlyMap<string, string>;
  /** Parameters that it gives values which only the deployment knows: their defaults count for nothing. */
  givenLater: readonly string[];
}

/** The project's own template. */
export const OUTERMOST: Place = { inside: '', givenLayers: new Map(), givenLater: [] };

/** The packages that a handler's module begins with and its folder ends with: SAM's ParentPackageMode `auto`. */
function commonPackage(handler: string, codeUri: string): string {
  const packages = handler.split('.').slice(0, -2);
  const folder = posix.normalize(codeUri).replace(/\/$/, '').split('/');
  for (let length = packages.length; length > 0; length -= 1) {
    const found = packages.slice(0, length).join('/');
    if (folder.slice(-length).join('/') === found) return found;
  }
  return '';
}

/** `Data.Outputs.Core` of a Fn::GetAtt that names an output of a nested stack; undefined of any other node. */
export function outputOf(node: unknown): string | undefined {
  const target = isObject(node) ? node['Fn::GetAtt'] : undefined;
  const path = Array.isArray(target) ? target.join('.') : target;
  return typeof path === 'string' && /^[A-Za-z0-9]+\.Outputs\.[A-Za-z0-9]+$/.test(path) ? path : undefined;
}

class TemplateReader {
  /** Logical ids of functions that are container images still to be built. */
  readonly images: string[] = [];

  constructor(
    /** Path in the project. */
    private readonly file: string,
    private readonly place: Place,
    private readonly scope: Scope,
    /** The same without the values of NoEcho parameters, for what goes into the plan. */
    private readonly shown: Scope,
    private readonly resources: Record<string, Resource>,
    private readonly globals: Properties,
    /** Names of all parameters, those without a known value included. */
    private readonly declared: ReadonlySet<string>,
  ) {}

  fail(logicalId: string, key: string, problem: string): never {
    throw new TemplateError(`${this.file}: Resources.${logicalId}.Properties.${key}: ${problem}`);
  }

  required(logicalId: string, properties: Properties, key: string): string {
    const value = resolveText(properties[key], this.scope);
    if (value === undefined || value === '') {
      const seen =
        properties[key] === undefined
          ? 'missing'
          : `cannot be known before deployment (${JSON.stringify(properties[key])})`;
      return this.fail(logicalId, key, `${seen}; write the value out or use a parameter with a default`);
    }
    return value;
  }

  /** Where content lies that is to be built, as it is written; undefined for what is in S3 already, or inline. */
  private written(
    logicalId: string,
    resource: Resource,
    properties: Properties,
    key: string,
  ): string | undefined {
    const metadata = resource.Metadata ?? {};
    // What CDK has put beside its template: aws-cdk-lib/cx-api, "assets"; SAM reads it, too.
    const asset = metadata['aws:asset:property'] === key ? metadata['aws:asset:path'] : undefined;
    if (typeof asset === 'string') return asset;
    if (isObject(properties[key]) && resolve(properties[key], this.scope) === properties[key])
      return undefined;
    const path = this.required(logicalId, properties, key);
    return /^[a-z][a-z0-9+.-]*:\/\//i.test(path) ? undefined : path;
  }

  /** Undefined for a layer whose content is in S3 already: it is deployed as it is. */
  layer(logicalId: string, resource: Resource, key: string): TemplateLayer | undefined {
    const { Properties: properties } = resource;
    const written = this.written(logicalId, resource, properties, key);
    if (written === undefined) return undefined;
    const contentUri = this.inProject(written);
    const runtimes = this.texts(properties['CompatibleRuntimes']);
    const architectures = this.texts(properties['CompatibleArchitectures']);
    const foreign = foreignBuild(this.declares(logicalId, contentUri, resource), {
      Type: SERVERLESS_LAYER,
      Properties: { ContentUri: contentUri, CompatibleRuntimes: runtimes },
    });
    return {
      logicalId: this.place.inside + logicalId,
      name:
        resolveText(properties['LayerName'], this.scope) ??
        kebab(this.place.inside.replaceAll('.', '') + logicalId),
      contentUri,
      ...(foreign ? { foreign } : {}),
      runtimes,
      architectures,
      usesUv: usesUv(resource.Metadata),
      hasBuildMethod: resource.Metadata?.['BuildMethod'] !== undefined,
      build: this.buildOf(resource),
    };
  }

  private buildOf({ Metadata: metadata }: Resource): TemplateLayer['build'] {
    const text = (key: string) => resolveText(metadata?.[key], this.scope) ?? '';
    const python = /^python(3\.\d+)$/.exec(text('BuildMethod'))?.[1];
    const architecture = (['x86_64', 'arm64'] as const).find((one) => one === text('BuildArchitecture'));
    return { ...(python ? { python } : {}), ...(architecture ? { architecture } : {}) };
  }

  /** Undefined for a function that needs no build of ours: code inline, in S3 already, or an image that is built. */
  function(logicalId: string, resource: Resource, key: string): TemplateFunction | undefined {
    const properties = this.propertiesOf(resource);
    if (properties['InlineCode'] !== undefined) return undefined;
    if (resolveText(properties['PackageType'], this.scope) === 'Image') {
      if (properties['ImageUri'] === undefined && !isObject(properties['Code']))
        this.images.push(this.place.inside + logicalId);
      return undefined;
    }
    const written = this.written(logicalId, resource, properties, key);
    if (written === undefined) return undefined;
    const codeUri = this.inProject(written);
    const runtime = this.required(logicalId, properties, 'Runtime');
    // `sam build` refuses them, too: AWS Lambda Developer Guide, "Runtime deprecation".
    if (/^python(2\.\d+|3\.[67])$/.test(runtime))
      return this.fail(logicalId, 'Runtime', `Lambda no longer takes ${runtime}; use python3.8 or newer`);
    const handler = this.required(logicalId, properties, 'Handler');
    const architecture = this.architecture(logicalId, properties);
    const foreign = foreignBuild(this.declares(logicalId, codeUri, resource), {
      Type: SERVERLESS_FUNCTION,
      Properties: { CodeUri: codeUri, Handler: handler, Runtime: runtime, Architectures: [architecture] },
    });
    if (!foreign && !/^.+\.[^.]+$/.test(handler))
      return this.fail(
        logicalId,
        'Handler',
        `"${handler}" names no function of a module; write MODULE.FUNCTION, such as app.handler`,
      );
    const variables = isObject(properties['Environment'])
      ? properties['Environment']['Variables']
      : undefined;
    const known = Object.entries(isObject(variables) ? variables : {}).map(
      ([name, value]) => [name, resolveText(value, this.shown)] as const,
    );
    return {
      logicalId: this.place.inside + logicalId,
      codeUri,
      ...(foreign ? { foreign } : {}),
      parent: foreign ? '' : this.parentOf(logicalId, codeUri, handler, resource),
      usesUv: usesUv(resource.Metadata),
      isComplete: isComplete(resource.Metadata),
      handler,
      runtime,
      architecture,
      memoryMb: this.memory(properties),
      ...this.layersOf(logicalId, properties),
      environment: Object.fromEntries(
        known.filter((pair): pair is [string, string] => pair[1] !== undefined),
      ),
      environmentNames: known.map(([name]) => name),
    };
  }

  /** A path of the template's as one of the project's. */
  private inProject(path: string): string {
    return posix.isAbsolute(path) ? path : posix.join(posix.dirname(this.file), path);
  }

  /** @returns MiB; Lambda's own default where the template says nothing (Lambda API reference, CreateFunction) */
  private memory(properties: Properties): number | undefined {
    const text = resolveText(properties['MemorySize'] ?? 128, this.scope);
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
  }

  private declares(logicalId: string, path: string, { Metadata: metadata }: Resource) {
    return { file: this.file, logicalId, path, metadata, scope: this.scope };
  }

  /** The entries of a list that are known before deployment. */
  private texts(node: unknown): string[] {
    const list = resolve(node, this.scope);
    return Array.isArray(list) ? list.flatMap((entry) => resolveText(entry, this.scope) ?? []) : [];
  }

  /** A function's own properties over the template's Globals, which are for SAM's own type alone. */
  private propertiesOf({ Type, Properties: properties }: Resource): Properties {
    return Type === SERVERLESS_FUNCTION ? (merge(this.globals, properties) as Properties) : properties;
  }

  /** The folder that SAM puts the code into: BuildProperties.ParentPackages, `src.orders`. */
  private parentOf(
    logicalId: string,
    codeUri: string,
    handler: string,
    { Metadata: metadata }: Resource,
  ): string {
    const build = metadata?.['BuildProperties'];
    const mode = isObject(build) ? resolveText(build['ParentPackageMode'], this.scope) : undefined;
    if (!isObject(build) || mode === undefined) return '';
    if (mode === 'auto') return commonPackage(handler, codeUri);
    const packages = resolveText(build['ParentPackages'], this.scope) ?? '';
    if (packages === '' || /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(packages))
      return packages.replaceAll('.', '/');
    throw new TemplateError(
      `${this.file}: Resources.${logicalId}.Metadata.BuildProperties.ParentPackages: "${packages}" is not the name of a package`,
    );
  }

  /** Whether SAM publishes a version of the function behind an alias at each change. */
  hasAlias(resource: Resource): boolean {
    return this.propertiesOf(resource)['AutoPublishAlias'] !== undefined;
  }

  /** How traffic goes over to new versions of a function behind an alias. */
  preference(logicalId: string, resource: Resource): Preference | undefined {
    if (!this.hasAlias(resource)) return undefined;
    const written = this.propertiesOf(resource)['DeploymentPreference'];
    return preferenceOf(this.place.inside + logicalId, written, this.resources, this.scope);
  }

  architecture(logicalId: string, properties: Properties): Architecture {
    const list = resolve(properties['Architectures'] ?? ['x86_64'], this.scope);
    const value = Array.isArray(list) ? resolveText(list[0], this.scope) : undefined;
    if (value === 'x86_64' || value === 'arm64') return value;
    return this.fail(
      logicalId,
      'Architectures',
      `${JSON.stringify(list)}; Lambda knows [x86_64] and [arm64]`,
    );
  }

  private isBuiltLayer(resource: Resource): boolean {
    const key = ownValue(LAYERS, resource.Type);
    return key !== undefined && this.written('', resource, resource.Properties, key) !== undefined;
  }

  private layerOfOthers(entry: unknown): LayerOfOthers {
    const text = resolveText(entry, this.scope);
    const [reference] = isObject(entry) ? Object.values(entry) : [];
    const name = text?.startsWith('arn:') ? undefined : (text ?? resolveText(reference, this.scope));
    const parameter = isObject(entry) && typeof entry['Ref'] === 'string' ? entry['Ref'] : name;
    return {
      ...(text?.startsWith('arn:') ? { arn: text } : {}),
      ...(parameter === undefined ? {} : { name: parameter }),
    };
  }

  /** Outputs of nested stacks are among them by their names, such as `Data.Outputs.Core`, until these are read. */
  layersOf(logicalId: string, properties: Properties): Pick<TemplateFunction, 'layers' | 'listed'> {
    const list = resolve(properties['Layers'] ?? [], this.scope);
    if (!Array.isArray(list)) return this.fail(logicalId, 'Layers', 'must be a list');
    const listed: ListedLayer[] = [];
    for (const entry of list) {
      const own = isObject(entry) && typeof entry['Ref'] === 'string' ? entry['Ref'] : undefined;
      const given = own === undefined ? undefined : this.place.givenLayers.get(own);
      const resource = own === undefined ? undefined : ownValue(this.resources, own);
      const isLayer = resource !== undefined && this.isBuiltLayer(resource);
      const output = outputOf(entry);
      if (given !== undefined) listed.push(given);
      else if (output !== undefined) listed.push(this.place.inside + output);
      else if (isLayer && own) listed.push(this.place.inside + own);
      else if (own !== undefined && resource === undefined && !this.declared.has(own)) {
        this.fail(logicalId, 'Layers', `!Ref ${own} names no resource and no parameter`);
      } else listed.push(this.layerOfOthers(entry));
    }
    return { layers: ownOf(listed), listed };
  }
}

function checkNames(file: string, layers: TemplateLayer[]): void {
  for (const { name, logicalId } of layers) {
    // Lambda's own pattern of a layer name; it becomes part of an S3 key, too.
    if (!/^[A-Za-z0-9_-]{1,140}$/.test(name) || name === '__proto__') {
      throw new TemplateError(
        `${file}: Resources.${logicalId}.Properties.LayerName: "${name}" is not a layer name; use letters, digits, - and _`,
      );
    }
  }
}

/**
 * Layers of a project under names of their own: templates may give two the same LayerName, of which Lambda keeps a version each.
 * Pure.
 */
export function withDistinctNames<L extends TemplateLayer>(layers: readonly L[]): L[] {
  const taken = new Set<string>();
  return layers.map((layer) => {
    const path = kebab(layer.logicalId.replaceAll('.', ''));
    const candidates = [layer.name, path, `${layer.name}-${path}`, layer.logicalId.replaceAll('.', '-')];
    const name = candidates.find((one) => !taken.has(one)) ?? layer.name;
    taken.add(name);
    return { ...layer, name };
  });
}

/** @throws TemplateError for a parameter that is not declared, or a value that the template does not allow */
function checkOverrides(
  file: string,
  declared: z.infer<typeof templateSchema>['Parameters'],
  overrides: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(overrides)) {
    if (!Object.hasOwn(declared, name)) {
      throw new TemplateError(
        `${file}: has no parameter ${name}; it declares ${Object.keys(declared).join(', ') || 'none'}`,
      );
    }
    const allowed = declared[name]?.AllowedValues?.map(String);
    if (allowed && !allowed.includes(value)) {
      throw new TemplateError(
        `${file}: parameter ${name} cannot be "${value}"; it allows ${allowed.join(', ')}`,
      );
    }
  }
}

/**
 * Reads a SAM template: its layers, its functions, and who uses which.
 * @param source its text, or what it holds where that was parsed
 * @param file its path in the project, to which the paths in it are relative
 * @param overrides values of parameters that the deployment sets
 * @param place where it is nested. Default: nowhere
 * @throws TemplateError, UnsupportedProjectError naming the resource, the key and the value
 */
export function readTemplate(
  source: unknown,
  file: string,
  overrides: Readonly<Record<string, string>> = {},
  place: Place = OUTERMOST,
): ProjectTemplate {
  const written = typeof source === 'string' ? parseTemplate(source, file) : source;
  const document = isObject(written)
    ? withoutLanguageExtensions(written, file, overrides, place.givenLater)
    : written;
  const parsed = templateSchema.safeParse(document);
  if (!parsed.success || !isObject(document)) {
    throw new TemplateError(
      `${file}: ${parsed.success ? 'is not a map' : describeIssues(parsed.error)}; see "sam validate"`,
    );
  }
  const { Parameters, Mappings, Conditions, Globals, Resources } = parsed.data;
  if (Object.keys(Resources).length === 0) throw new TemplateError(`${file}: declares no resource`);
  checkOverrides(file, Parameters, overrides);
  const parameters = Object.fromEntries(
    Object.entries(Parameters).map(([name, { Default }]) => [
      name,
      Default === undefined ? {} : { default: String(Default) },
    ]),
  );
  const defaults = Object.entries(parameters).flatMap(([name, entry]) =>
    entry.default === undefined ? [] : [[name, entry.default]],
  );
  const scope: Scope = {
    parameters: { ...Object.fromEntries(defaults), ...overrides },
    mappings: Mappings,
    conditions: Conditions,
  };
  const reader = new TemplateReader(
    file,
    place,
    scope,
    { ...scope, parameters: withoutNames(scope.parameters, noEchoIn(document)) },
    Resources,
    Globals.Function,
    new Set(Object.keys(Parameters)),
  );
  const all = Object.entries(Resources);
  const layers = all.flatMap(([id, resource]) => {
    const key = ownValue(LAYERS, resource.Type);
    return key === undefined ? [] : (reader.layer(id, resource, key) ?? []);
  });
  const functions = all.flatMap(([id, resource]) => {
    const key = ownValue(FUNCTIONS, resource.Type);
    return key === undefined ? [] : (reader.function(id, resource, key) ?? []);
  });
  checkNames(file, layers);
  const serverless = all.filter(([, resource]) => resource.Type === SERVERLESS_FUNCTION);
  const hasAliases = serverless.some(([, resource]) => reader.hasAlias(resource));
  return {
    document: withoutPreferences(document),
    layers,
    functions,
    images: reader.images,
    hasAliases,
    preferences: serverless.flatMap(([id, resource]) => reader.preference(id, resource) ?? []),
    scope,
    parameters,
  };
}
