import { z } from 'zod';
import { ArtifactChangedError } from '../../core/errors.ts';
import type { PlannedArtifact } from '../../core/release/build-plan.ts';
import { keys, type Release } from '../../core/release/release.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';

/** A zip as it was validated: what is deployed is this version of the object, with this content. */
const validatedSchema = z.object({
  /** Missing where the bucket keeps no versions. */
  versionId: z.string().optional(),
  /** Of the zip, hexadecimal. */
  sha256: z.string(),
});
export type Validated = z.infer<typeof validatedSchema>;

/** The validated zips of a release, by their keys in the artifact bucket. */
export class ValidatedArtifacts {
  private constructor(private readonly zips: Readonly<Record<string, Validated>>) {}

  static async read(bucket: ArtifactBucket, release: Release): Promise<ValidatedArtifacts> {
    return new ValidatedArtifacts(
      await bucket.readJson(keys.validated(release), z.record(z.string(), validatedSchema)),
    );
  }

  static async write(
    bucket: ArtifactBucket,
    release: Release,
    zips: Readonly<Record<string, Validated>>,
  ): Promise<void> {
    await bucket.write(keys.validated(release), JSON.stringify(zips));
  }

  /** @throws ArtifactChangedError for a zip that nobody has validated */
  find(kind: 'layer' | 'function', { name, key }: PlannedArtifact): Validated & { key: string } {
    const zip = keys.zip(kind, name, key);
    const found = this.zips[zip];
    if (found) return { ...found, key: zip };
    throw new ArtifactChangedError(`${kind} ${name}: ${zip} was not validated; start the release anew`);
  }
}

/**
 * Lambda says what it has taken; it must be what was validated.
 * @param codeSha256 as Lambda gives it, base64. @throws ArtifactChangedError
 */
export function checkTaken(what: string, { sha256 }: Validated, codeSha256: string | undefined): void {
  const taken = Buffer.from(codeSha256 ?? '', 'base64').toString('hex');
  if (taken !== sha256)
    throw new ArtifactChangedError(
      `${what}: Lambda has taken a zip with SHA-256 ${taken || 'unknown'}, validated was ${sha256}; somebody changed the artifact. Delete its manifest in the artifact bucket and start the release anew`,
    );
}
