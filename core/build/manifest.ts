import { z } from 'zod';
import { stepReportSchema } from '../optimise/decisions.ts';

/** What an artifact is made of and how it came to be; it stands beside the zip and travels with it. */
export const manifestSchema = z.object({
  kind: z.enum(['layer', 'function']),
  name: z.string(),
  /** Content hash of everything that the artifact is built from: same key, same bytes. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** Lambda's names of what it is for; a layer of others may say nothing, or more than one. */
  runtimes: z.array(z.string()),
  architectures: z.array(z.string()),
  zip: z.object({ bytes: z.int(), sha256: z.string() }),
  /** What functions may fetch when they ask for it after all, where the project wants that. */
  removed: z.object({ bytes: z.int(), sha256: z.string() }).optional(),
  /** Bytes, unzipped. */
  bytes: z.int(),
  /** Bytes as installed, before anything was removed or compiled. */
  installedBytes: z.int(),
  /** The same by folder, two levels deep: `numpy/core`. */
  installedFolders: z.array(z.tuple([z.string(), z.int()])),
  /** Every file, relative to the zip, with its bytes unzipped. */
  files: z.array(z.tuple([z.string(), z.int()])),
  distributions: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      installedBytes: z.int(),
      /** Names at the top of the tree: `numpy`, `numpy.libs`, `six.py`. */
      top: z.array(z.string()),
    }),
  ),
  /** What the optimiser has removed, step by step, and what its proof has put back. */
  steps: z.array(stepReportSchema),
  bytecode: z.object({ compiled: z.int(), skipped: z.record(z.string(), z.string()) }),
  /** All modules that must import: the distributions' own and, of a function, its handler's. */
  modules: z.array(z.string()),
  /** Empty where this machine cannot run the target's code. */
  imports: z.array(z.object({ module: z.string(), ms: z.number() })),
  /** What a human should know: imports that could not be checked, and why. */
  notes: z.array(z.string()),
});

export type Manifest = z.infer<typeof manifestSchema>;
