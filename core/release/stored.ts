import { z } from 'zod';
import { ArtifactChangedError } from '../errors.ts';
import { sha256 } from '../sha256.ts';

/**
 * Plans, reports and lists that grow with the number of functions lie in the artifact bucket; from state to state goes only
 * where they lie and what they are, since a state's data may have 256 KiB. Pure.
 */

export const storedSchema = z.object({
  /** In the artifact bucket. */
  key: z.string(),
  /** Of the JSON text, in UTF-8. */
  bytes: z.int(),
  /** Of the JSON text, hexadecimal. */
  sha256: z.string(),
});
export type Stored = z.infer<typeof storedSchema>;

/** What to say of a text that is stored under a key. */
export const storedAs = (key: string, text: string): Stored => ({
  key,
  bytes: Buffer.byteLength(text),
  sha256: sha256(text),
});

/** The value of a stored text. @throws ArtifactChangedError where it is not the text that was stored */
export function parseStored<S extends z.ZodType>(stored: Stored, text: string, schema: S): z.output<S> {
  const now = storedAs(stored.key, text);
  if (now.sha256 !== stored.sha256)
    throw new ArtifactChangedError(
      `${stored.key} in the artifact bucket has ${now.bytes} bytes with SHA-256 ${now.sha256}, written were ${stored.bytes} with ${stored.sha256}; somebody changed it. Start the release anew.`,
    );
  return schema.parse(JSON.parse(text));
}
