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
}

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

function withCode(resource: unknown, code: CodeLocation | undefined): unknown {
  if (!code || !isObject(resource)) return resource;
  const { bucket: Bucket, key: Key, versionId: Version } = code;
  const CodeUri = Version === undefined ? { Bucket, Key } : { Bucket, Key, Version };
  return {
    ...resource,
    Properties: { ...(isObject(resource['Properties']) ? resource['Properties'] : {}), CodeUri },
  };
}

/**
 * The template that CloudFormation gets: the project's own, with built functions taken from the artifact bucket and
 * built layers replaced by the ARNs of their published versions. Nothing else changes.
 */
export function deployableTemplate(
  template: Readonly<Record<string, unknown>>,
  deployment: Deployment,
): Record<string, unknown> {
  const resources = isObject(template['Resources']) ? template['Resources'] : {};
  const kept = Object.entries(resources).filter(([id]) => !deployment.layers.has(id));
  const Resources = Object.fromEntries(
    kept.map(([id, resource]) => [
      id,
      withCode(withArns(resource, deployment.layers), deployment.functions.get(id)),
    ]),
  );
  const rest = Object.entries(template).filter(([key]) => key !== 'Resources');
  return {
    ...Object.fromEntries(rest.map(([key, value]) => [key, withArns(value, deployment.layers)])),
    Resources,
  };
}
