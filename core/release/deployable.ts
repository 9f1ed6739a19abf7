import { isObject } from '../project/intrinsics.ts';

/** Where a function's code lies. */
export interface CodeLocation {
  bucket: string;
  key: string;
  /** Version of the object that was validated. */
  versionId?: string;
}

export interface Deployment {
  /** ARN of the published version, by the layer's logical id. */
  layers: ReadonlyMap<string, string>;
  /** By the function's logical id. */
  functions: ReadonlyMap<string, CodeLocation>;
  /** Bucket from which functions fetch what was removed from their layers, where the project wants that. */
  fetchFrom?: string;
}

/** Environment variable by which a function knows the bucket; plimsoll_finder.py reads it. */
export const BUCKET_VARIABLE = 'PLIMSOLL_ARTIFACT_BUCKET';

/** A copy of a template node in which each reference to a published layer is its ARN. */
function withArns(node: unknown, layers: Deployment['layers']): unknown {
  if (Array.isArray(node)) return node.map((item) => withArns(item, layers));
  if (!isObject(node)) return node;
  const entries = Object.entries(node);
  const [first] = entries;
  if (first && entries.length === 1) {
    const [key, value] = first;
    if (key === 'Ref' && typeof value === 'string' && layers.has(value)) return layers.get(value);
    if (
      key === 'Fn::GetAtt' &&
      Array.isArray(value) &&
      value[1] === 'LayerVersionArn' &&
      layers.has(String(value[0]))
    ) {
      return layers.get(String(value[0]));
    }
    if (key === 'Fn::Sub') return { 'Fn::Sub': substituteArns(value, layers) };
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, withArns(value, layers)]));
}

function substituteArns(value: unknown, layers: Deployment['layers']): unknown {
  const replace = (text: string) =>
    text.replace(/\$\{([A-Za-z0-9]+)\}/g, (whole, name: string) => layers.get(name) ?? whole);
  if (typeof value === 'string') return replace(value);
  if (Array.isArray(value) && typeof value[0] === 'string')
    return [replace(value[0]), withArns(value[1], layers)];
  return value;
}

const propertiesOf = (resource: Record<string, unknown>): Record<string, unknown> =>
  isObject(resource['Properties']) ? resource['Properties'] : {};

function withCode(resource: unknown, code: CodeLocation | undefined): unknown {
  if (!code || !isObject(resource)) return resource;
  const { bucket: Bucket, key: Key, versionId: Version } = code;
  const CodeUri = Version === undefined ? { Bucket, Key } : { Bucket, Key, Version };
  return {
    ...resource,
    Properties: { ...propertiesOf(resource), CodeUri },
  };
}

/** A function that knows the bucket and may read what was removed, nothing else. A role of the user's own is left alone. */
function withFetch(resource: unknown, bucket: string | undefined): unknown {
  if (bucket === undefined || !isObject(resource)) return resource;
  const properties = propertiesOf(resource);
  const environment = isObject(properties['Environment']) ? properties['Environment'] : {};
  const variables = isObject(environment['Variables']) ? environment['Variables'] : {};
  const Environment = { ...environment, Variables: { ...variables, [BUCKET_VARIABLE]: bucket } };
  const mayRead = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 's3:GetObject',
        Resource: ['layers', 'functions'].map((kind) => ({
          'Fn::Sub': `arn:\${AWS::Partition}:s3:::${bucket}/${kind}/*/removed.zip`,
        })),
      },
    ],
  };
  const own = properties['Policies'];
  const policies = own === undefined ? [] : Array.isArray(own) ? own : [own];
  const Policies = 'Role' in properties ? {} : { Policies: [...policies, mayRead] };
  return { ...resource, Properties: { ...properties, Environment, ...Policies } };
}

/**
 * The template that CloudFormation gets: the project's own, with built functions taken from the artifact bucket and
 * built layers replaced by the ARNs of their published versions. Nothing else changes, unless the project wants functions
 * to fetch what was removed.
 */
export function deployableTemplate(
  template: Readonly<Record<string, unknown>>,
  deployment: Deployment,
): Record<string, unknown> {
  const resources = isObject(template['Resources']) ? template['Resources'] : {};
  const ready = (id: string, resource: unknown) => {
    const code = deployment.functions.get(id);
    return withCode(code ? withFetch(resource, deployment.fetchFrom) : resource, code);
  };
  const kept = Object.entries(resources).filter(([id]) => !deployment.layers.has(id));
  const Resources = Object.fromEntries(
    kept.map(([id, resource]) => [id, ready(id, withArns(resource, deployment.layers))]),
  );
  const rest = Object.entries(template).filter(([key]) => key !== 'Resources');
  return {
    ...Object.fromEntries(rest.map(([key, value]) => [key, withArns(value, deployment.layers)])),
    Resources,
  };
}
