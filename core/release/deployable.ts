import { isObject, objectOf } from '../project/intrinsics.ts';

/** Where a function's code lies. */
export interface CodeLocation {
  bucket: string;
  key: string;
  /** Version of the object that was validated. */
  versionId?: string;
}

export interface Deployment {
  /** ARN of the published version, by the layer's logical id in the plan. */
  layers: ReadonlyMap<string, string>;
  /** By the function's logical id in the plan. */
  functions: ReadonlyMap<string, CodeLocation>;
}

/** What of a template is built here, by logical id. */
export interface Built {
  /** What stands before its logical ids in the plan: empty for the project's own template, `Data.` for a nested one. */
  inside: string;
  layers: readonly string[];
  functions: readonly string[];
  /** Bucket from which functions fetch what was removed from their layers, and which do, where the project wants that. */
  fetch?: { bucket: string; functions: readonly string[] };
}

/** Environment variable by which a function knows the bucket; plimsoll_finder.py reads it. */
export const BUCKET_VARIABLE = 'PLIMSOLL_ARTIFACT_BUCKET';

/** Stand in a template for what is known only once the layers are published. */
const CODE_MARK = 'plimsoll-code';
const layerMark = (id: string) => `plimsoll:layer:${id}:`;
const LAYER_MARKS = /plimsoll:layer:([A-Za-z0-9.]+):/g;

/** Whether a node of a marked template stands for a layer of the project, or holds one. */
export const holdsLayerMark = (node: unknown): boolean =>
  JSON.stringify(node ?? null).search(LAYER_MARKS) >= 0;

/** Logical ids of a template's layers, and of the same ones in the plan. */
type Ids = ReadonlyMap<string, string>;

/** A copy of a template node in which each reference to a layer of the project is its mark. */
function withMarks(node: unknown, layers: Ids): unknown {
  if (Array.isArray(node)) return node.map((item) => withMarks(item, layers));
  if (!isObject(node)) return node;
  const entries = Object.entries(node);
  const [first] = entries;
  if (first && entries.length === 1) {
    const [key, value] = first;
    const ofRef = key === 'Ref' && typeof value === 'string' ? layers.get(value) : undefined;
    const ofAttribute =
      key === 'Fn::GetAtt' && Array.isArray(value) && value[1] === 'LayerVersionArn'
        ? layers.get(String(value[0]))
        : undefined;
    const id = ofRef ?? ofAttribute;
    if (id !== undefined) return layerMark(id);
    if (key === 'Fn::Sub') return { 'Fn::Sub': substituteMarks(value, layers) };
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, withMarks(value, layers)]));
}

function substituteMarks(value: unknown, layers: Ids): unknown {
  const replace = (text: string) =>
    text.replace(/\$\{([A-Za-z0-9]+)\}/g, (whole, name: string) => {
      const id = layers.get(name);
      return id === undefined ? whole : layerMark(id);
    });
  if (typeof value === 'string') return replace(value);
  if (Array.isArray(value) && typeof value[0] === 'string')
    return [replace(value[0]), withMarks(value[1], layers)];
  return value;
}

const propertiesOf = (resource: Record<string, unknown>): Record<string, unknown> =>
  objectOf(resource['Properties']);

function withCode(resource: unknown, id: string): unknown {
  if (!isObject(resource)) return resource;
  const Code = { S3Bucket: CODE_MARK, S3Key: id };
  const CodeUri = { Bucket: CODE_MARK, Key: id };
  const code = resource['Type'] === 'AWS::Lambda::Function' ? { Code } : { CodeUri };
  return { ...resource, Properties: { ...propertiesOf(resource), ...code } };
}

/** A function that knows the bucket and may read what was removed, nothing else. A role of the user's own is left alone. */
function withFetch(resource: unknown, bucket: string): unknown {
  if (!isObject(resource)) return resource;
  const properties = propertiesOf(resource);
  const environment = objectOf(properties['Environment']);
  const variables = objectOf(environment['Variables']);
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
 * The project's template with marks in the place of what is built: it can be expanded before anything is. Nothing else
 * changes, unless the project wants functions to fetch what was removed. Pure.
 */
export function markedTemplate(
  template: Readonly<Record<string, unknown>>,
  { inside, layers, functions, fetch }: Built,
): Record<string, unknown> {
  const built = new Map(layers.map((id) => [id, inside + id]));
  const resources = objectOf(template['Resources']);
  const kept = Object.entries(resources).filter(([id]) => !built.has(id));
  const ready = (id: string, resource: unknown) => {
    const fetching = fetch?.functions.includes(id) ? withFetch(resource, fetch.bucket) : resource;
    return functions.includes(id) ? withCode(fetching, inside + id) : fetching;
  };
  const Resources = Object.fromEntries(
    kept.map(([id, resource]) => [id, ready(id, withMarks(resource, built))]),
  );
  const rest = Object.entries(template).filter(([key]) => key !== 'Resources');
  return { ...Object.fromEntries(rest.map(([key, value]) => [key, withMarks(value, built)])), Resources };
}

/** The code of a marked function, as SAM writes it or as CloudFormation does. */
function codeOf(
  node: Record<string, unknown>,
  functions: Deployment['functions'],
): Record<string, string> | undefined {
  const found = (id: unknown) => (typeof id === 'string' ? functions.get(id) : undefined);
  const sam = node['Bucket'] === CODE_MARK ? found(node['Key']) : undefined;
  if (sam) return { Bucket: sam.bucket, Key: sam.key, ...(sam.versionId ? { Version: sam.versionId } : {}) };
  const plain = node['S3Bucket'] === CODE_MARK ? found(node['S3Key']) : undefined;
  if (!plain) return undefined;
  const { bucket: S3Bucket, key: S3Key, versionId } = plain;
  return { S3Bucket, S3Key, ...(versionId ? { S3ObjectVersion: versionId } : {}) };
}

/** A marked template with built functions taken from the artifact bucket and layers by the ARNs of their versions. Pure. */
export function deployableTemplate(
  template: Readonly<Record<string, unknown>>,
  { layers, functions }: Deployment,
): Record<string, unknown> {
  const fill = (node: unknown): unknown => {
    if (typeof node === 'string')
      return node.replace(LAYER_MARKS, (mark, id: string) => layers.get(id) ?? mark);
    if (Array.isArray(node)) return node.map(fill);
    if (!isObject(node)) return node;
    return (
      codeOf(node, functions) ??
      Object.fromEntries(Object.entries(node).map(([key, value]) => [key, fill(value)]))
    );
  };
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fill(value)]));
}
