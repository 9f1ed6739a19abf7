import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MissingFileError, UnsupportedProjectError } from '../errors.ts';
import { ifThere, refuseLinkOutside } from './files.ts';
import { isLocal, type Later } from './inline.ts';
import { isObject, objectOf, ownValue, resolveText, type Scope } from './intrinsics.ts';
import { pathInProject } from './path.ts';

/** Files and folders that a template names by their path, and that go into the artifact bucket with a release. */

/** How a resource is told where its file lies in S3. */
type Form = 'url' | 'bucket-key' | 's3bucket-s3key';

interface Uploaded {
  /** Keys of the property, from Properties on. */
  path: readonly string[];
  form: Form;
}

/** AWS CLI reference, "cloudformation package", without what is built or inlined; forms as in the CloudFormation template reference. */
const UPLOADED: Readonly<Record<string, Uploaded>> = {
  'AWS::Serverless::GraphQLApi': { path: ['SchemaUri'], form: 'url' },
  'AWS::Glue::Job': { path: ['Command', 'ScriptLocation'], form: 'url' },
  'AWS::ElasticBeanstalk::ApplicationVersion': { path: ['SourceBundle'], form: 's3bucket-s3key' },
  'AWS::CloudFormation::ModuleVersion': { path: ['ModulePackage'], form: 'url' },
  'AWS::CloudFormation::ResourceVersion': { path: ['SchemaHandlerPackage'], form: 'url' },
  'AWS::CodeCommit::Repository': { path: ['Code', 'S3'], form: 'bucket-key' },
};

/** One file or folder that a template names. */
export interface Upload {
  /** In its own template. */
  logicalId: string;
  /** Keys of the property, from Properties on. */
  path: readonly string[];
  /** Path in the project. A folder goes as a zip. */
  from: string;
  form: Form;
}

const at = (node: unknown, path: readonly string[]): unknown =>
  path.reduce((inner: unknown, key) => objectOf(inner)[key], node);

/**
 * What of a template is to be uploaded.
 * @param file its path in the project
 * @param later is told of what is not there
 * @throws UnsupportedProjectError for a path outside the project
 */
export async function uploadsOf(
  root: string,
  file: string,
  document: Readonly<Record<string, unknown>>,
  scope: Scope,
  later: Later,
): Promise<Upload[]> {
  const found: Upload[] = [];
  for (const [logicalId, resource] of Object.entries(objectOf(document['Resources']))) {
    const { Type, Properties } = objectOf(resource);
    const uploaded = typeof Type === 'string' ? ownValue(UPLOADED, Type) : undefined;
    const text = uploaded && resolveText(at(Properties, uploaded.path), scope);
    if (!uploaded || !isLocal(text)) continue;
    const where = `${file}: Resources.${logicalId}.Properties.${uploaded.path.join('.')}`;
    const from = pathInProject(file, text);
    if (from === undefined)
      throw new UnsupportedProjectError(
        `${where}: ${text} is outside the project; put it beside the template`,
      );
    await refuseLinkOutside(root, from, where);
    if ((await ifThere(stat(join(root, from)))) === undefined)
      later(new MissingFileError(`${where}: there is no file ${from}; create it or correct the template`));
    else found.push({ logicalId, ...uploaded, from });
  }
  return found;
}

/** Where an upload lies. */
export interface UploadedPlace {
  bucket: string;
  key: string;
}

function inForm({ bucket, key }: UploadedPlace, form: Form): unknown {
  if (form === 'url') return `s3://${bucket}/${key}`;
  return form === 'bucket-key' ? { Bucket: bucket, Key: key } : { S3Bucket: bucket, S3Key: key };
}

function withValue(node: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  return { ...objectOf(node), [key]: withValue(objectOf(node)[key], rest, value) };
}

/** A template in which uploads are taken from where they were put. Pure. */
export function withUploads(
  document: Readonly<Record<string, unknown>>,
  uploads: readonly { upload: Upload; place: UploadedPlace }[],
): Record<string, unknown> {
  const Resources = Object.fromEntries(
    Object.entries(objectOf(document['Resources'])).map(([id, resource]) => {
      const own = uploads.filter(({ upload }) => upload.logicalId === id);
      if (own.length === 0 || !isObject(resource)) return [id, resource];
      const Properties = own.reduce(
        (properties: unknown, { upload, place }) =>
          withValue(properties, upload.path, inForm(place, upload.form)),
        resource['Properties'],
      );
      return [id, { ...resource, Properties }];
    }),
  );
  return { ...document, Resources };
}
