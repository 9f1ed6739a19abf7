import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LambdaClient } from '@aws-sdk/client-lambda';
import {
  GetObjectCommand,
  HeadObjectCommand,
  NotFound,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { z } from 'zod';
import { REMOVED_FILE } from '../../core/build/artifact.ts';
import type { ReadLayer } from '../../core/build/external.ts';
import { SBOM_FILE } from '../../core/build/sbom.ts';
import { unpack } from '../../core/build/unpack.ts';
import { placeOfWheel } from '../../core/build/wheels.ts';
import { InvalidInputError, messageOf, PlimsollError } from '../../core/errors.ts';
import type { Rights } from '../../core/release/boundary.ts';
import { type BuildPlan, buildPlanSchema } from '../../core/release/build-plan.ts';
import { MAX_BAKE_SECONDS } from '../../core/release/limits.ts';
import { madeWheels } from '../../core/release/plan.ts';
import { keys, type Release, releaseSchema } from '../../core/release/release.ts';
import { ARTIFACT_LIMITS, PROJECT_LIMITS } from '../../core/size/limits.ts';
import { systemSentence } from '../../core/system-errors.mjs';
import { readLayerVersion } from './layer-version.ts';

/** The release that a build works for, with the buckets it reads and writes. */
export class Remote {
  private readonly s3 = new S3Client();
  private readonly lambda = new LambdaClient();

  private constructor(
    readonly release: Release,
    readonly bucket: string,
    readonly region: string,
  ) {}

  /** Reads what StartBuild set: RELEASE and ARTIFACT_BUCKET, and CodeBuild itself: AWS_REGION. @throws InvalidInputError naming the variable */
  static fromEnvironment(): Remote {
    const env = z
      .object({ RELEASE: z.string(), ARTIFACT_BUCKET: z.string(), AWS_REGION: z.string() })
      .safeParse(process.env);
    if (!env.success) {
      const names = env.error.issues.map(({ path }) => path.join('.')).join(', ');
      throw new InvalidInputError(
        `environment variable ${names} is not set; this command is run by the pipeline's builds`,
      );
    }
    const { RELEASE, ARTIFACT_BUCKET, AWS_REGION } = env.data;
    return new Remote(releaseSchema.parse(JSON.parse(RELEASE)), ARTIFACT_BUCKET, AWS_REGION);
  }

  /** Processors that this Lambda runs. */
  get processors(): string[] {
    return process.env['PROCESSORS']?.split(',') ?? ['x86_64', 'arm64'];
  }

  /** How long traffic is watched at most after a step, in seconds. */
  get longestBake(): number {
    const { LONGEST_BAKE: seconds } = process.env;
    return seconds === undefined ? MAX_BAKE_SECONDS : Number(seconds);
  }

  /** What the pipeline's owner allows templates to ask for; set on the build that reads them. @throws InvalidInputError */
  get rights(): Rights {
    const { PERMISSIONS_BOUNDARY: boundary, ALLOWED_ROLES, ALLOWED_TYPES, UNBUILT } = process.env;
    const list = (text = '') => text.split(',').filter((one) => one !== '');
    if (!boundary)
      throw new InvalidInputError(
        'environment variable PERMISSIONS_BOUNDARY is not set; deploy the pipeline anew',
      );
    return {
      boundary,
      roles: list(ALLOWED_ROLES),
      unbuilt: UNBUILT === 'stub' ? 'stub' : 'reject',
      types: list(ALLOWED_TYPES),
    };
  }

  private async download(
    bucket: string,
    key: string,
    versionId: string | undefined,
    target: string,
  ): Promise<void> {
    const { Body } = await this.s3.send(
      new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }),
    );
    await pipeline(Body as Readable, createWriteStream(target));
  }

  /** Fetches the uploaded project and answers its folder: the zip's top, or the one folder in it. */
  async fetchProject(workdir: string): Promise<string> {
    const { bucket, key, versionId } = this.release.source;
    const zip = join(workdir, 'project.zip');
    const folder = join(workdir, 'project');
    await this.download(bucket, key, versionId, zip);
    await unpack(zip, folder, key, PROJECT_LIMITS);
    const entries = await readdir(folder, { withFileTypes: true });
    const [only] = entries;
    return entries.length === 1 && only?.isDirectory() ? join(folder, only.name) : folder;
  }

  async readPlan(): Promise<BuildPlan> {
    const answer = await this.s3.send(
      new GetObjectCommand({ Bucket: this.bucket, Key: keys.plan(this.release) }),
    );
    return buildPlanSchema.parse(JSON.parse((await answer.Body?.transformToString()) ?? ''));
  }

  /** Fetches and unpacks layers that were built before, and answers their folders by name. */
  async fetchLayers(
    layers: readonly { name: string; key: string }[],
    workdir: string,
  ): Promise<Map<string, string>> {
    const trees = await Promise.all(
      layers.map(async ({ name, key }): Promise<[string, string]> => {
        const zip = join(workdir, `${name}.zip`);
        const tree = join(workdir, 'layers', name);
        await this.download(this.bucket, keys.zip('layer', name, key), undefined, zip);
        await unpack(zip, tree, name, ARTIFACT_LIMITS);
        return [name, tree];
      }),
    );
    return new Map(trees);
  }

  /** Fetches a layer version of others from Lambda, where it is there and this build may read it: see ReadLayer. */
  readonly readLayer: ReadLayer = (arn, zip) => readLayerVersion(this.lambda, arn, zip);

  /** Keeps the zip of a layer version for the builds that import with it. */
  readonly storeLayer = async (sha256: string, zip: string): Promise<void> => {
    const key = keys.external(sha256);
    if (!(await this.exists(key))) await this.uploadFile(key, zip);
  };

  readonly fetchLayer = (sha256: string, zip: string): Promise<void> =>
    this.download(this.bucket, keys.external(sha256), undefined, zip);

  /** Keeps wheels that were built of what has none, for the builds that install them. @param folder of wheels */
  async storeWheels(plan: BuildPlan, folder: string): Promise<void> {
    for (const wheel of madeWheels(plan)) {
      const key = keys.wheel(wheel.sha256, wheel.file);
      if (!(await this.exists(key))) await this.uploadFile(key, placeOfWheel(folder, wheel));
    }
  }

  /** Fetches those that are not there. What comes is checked against its hash when it is installed. @param folder of wheels */
  async fetchWheels(plan: BuildPlan, folder: string): Promise<void> {
    for (const wheel of madeWheels(plan)) {
      const place = placeOfWheel(folder, wheel);
      if (existsSync(place)) continue;
      await mkdir(dirname(place), { recursive: true });
      await this.download(this.bucket, keys.wheel(wheel.sha256, wheel.file), undefined, place);
    }
  }

  async exists(key: string): Promise<boolean> {
    try {
      await this.s3.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key }));
      return true;
    } catch (error) {
      if (error instanceof NotFound) return false;
      throw error;
    }
  }

  async writeText(key: string, text: string): Promise<void> {
    await this.s3.send(
      new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: text, ContentType: 'application/json' }),
    );
  }

  async uploadFile(key: string, path: string, contentType = 'application/zip'): Promise<void> {
    await this.s3.send(
      new PutObjectCommand({
        Bucket: this.bucket,
        Key: key,
        // Whole, not as a stream: a request that is throttled is sent again, and a stream is gone by then.
        Body: await readFile(path),
        ContentType: contentType,
      }),
    );
  }

  /** Puts a built artifact into the bucket. The manifest comes last: it says that the artifact is whole. */
  async upload(
    kind: 'layer' | 'function',
    { name, key }: { name: string; key: string },
    workdir: string,
  ): Promise<void> {
    await this.uploadFile(keys.zip(kind, name, key), join(workdir, `${kind}.zip`));
    const removed = join(workdir, REMOVED_FILE);
    if (existsSync(removed)) await this.uploadFile(keys.removed(kind, name, key), removed);
    await this.writeText(keys.sbom(kind, name, key), await readFile(join(workdir, SBOM_FILE), 'utf8'));
    await this.writeText(
      keys.manifest(kind, name, key),
      await readFile(join(workdir, 'manifest.json'), 'utf8'),
    );
  }

  /** Leaves the reason where the state machine looks for it: CodeBuild itself only says that a build failed. */
  async reportFailure(step: string, error: unknown): Promise<void> {
    const known = error instanceof PlimsollError;
    const name = known ? error.name : 'BuildFailedError';
    const message = systemSentence(error) ?? messageOf(error);
    await this.writeText(keys.failure(this.release, step), JSON.stringify({ name, message }));
  }
}
