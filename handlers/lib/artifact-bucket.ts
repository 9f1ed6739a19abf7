import {
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { z } from 'zod';
import { PrerequisiteError } from '../../core/errors.ts';
import { parseStored, type Stored, storedAs } from '../../core/release/stored.ts';
import type { ReadRange } from '../../core/size/central-directory.ts';

/** JSON documents of the artifact bucket are small; one larger than this is not ours. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;

/** The artifact bucket: JSON in and out, heads, and ranges of the zips. */
export class ArtifactBucket {
  constructor(
    private readonly s3: S3Client,
    readonly name: string,
  ) {}

  /** @throws PrerequisiteError when there is no such object */
  async readText(key: string): Promise<string> {
    try {
      const { Body, ContentLength = 0 } = await this.s3.send(
        new GetObjectCommand({ Bucket: this.name, Key: key }),
      );
      if (ContentLength > MAX_JSON_BYTES)
        throw new PrerequisiteError(
          `s3://${this.name}/${key}: ${ContentLength} bytes, at most ${MAX_JSON_BYTES} are read`,
        );
      return (await Body?.transformToString()) ?? '';
    } catch (error) {
      if (error instanceof NoSuchKey)
        throw new PrerequisiteError(`s3://${this.name}/${key} is missing; start the release anew`);
      throw error;
    }
  }

  async readJson<S extends z.ZodType>(key: string, schema: S): Promise<z.output<S>> {
    return schema.parse(JSON.parse(await this.readText(key)));
  }

  /** Writes JSON that is too large to go from state to state. @returns what the next state reads it by */
  async store(key: string, value: unknown): Promise<Stored> {
    const text = JSON.stringify(value);
    await this.write(key, text);
    return storedAs(key, text);
  }

  /** @throws ArtifactChangedError where it is not what was stored */
  async load<S extends z.ZodType>(stored: Stored, schema: S): Promise<z.output<S>> {
    return parseStored(stored, await this.readText(stored.key), schema);
  }

  async write(key: string, body: string): Promise<void> {
    await this.s3.send(
      new PutObjectCommand({ Bucket: this.name, Key: key, Body: body, ContentType: 'application/json' }),
    );
  }

  /** Size in bytes and version, or undefined where there is no such object. */
  async head(key: string): Promise<{ bytes: number; versionId?: string } | undefined> {
    try {
      const { ContentLength = 0, VersionId } = await this.s3.send(
        new HeadObjectCommand({ Bucket: this.name, Key: key }),
      );
      return { bytes: ContentLength, ...(VersionId ? { versionId: VersionId } : {}) };
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /** Reads ranges of one version of an object. */
  ranges(key: string, versionId?: string): ReadRange {
    return async (start, end) => {
      if (end <= start) return Buffer.alloc(0);
      const { Body } = await this.s3.send(
        new GetObjectCommand({
          Bucket: this.name,
          Key: key,
          Range: `bytes=${start}-${end - 1}`,
          VersionId: versionId,
        }),
      );
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    };
  }
}
