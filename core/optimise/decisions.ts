import { z } from 'zod';
import { lazySchema } from '../build/bytecode.ts';

/** How far the optimiser goes: `rules` removes what a rule names; `traced` also what no workload has used. */
export const modeSchema = z.enum(['rules', 'traced']);
export type Mode = z.infer<typeof modeSchema>;

export const stepReportSchema = z.object({
  step: z.string(),
  /** What is less, and why; largest first. */
  removed: z.array(
    z.object({ distribution: z.string(), reason: z.string(), files: z.int(), bytes: z.int() }),
  ),
  /** Why the step did less than it could, where it did. */
  note: z.string().optional(),
  /** Files that the proof has put back, with what broke without them. */
  putBack: z.array(z.object({ path: z.string(), broke: z.string() })),
});

/** What one step did to one artifact. */
export type StepReport = z.infer<typeof stepReportSchema>;

export const decisionsSchema = z.object({
  /** Files to remove, relative to the libraries. */
  remove: z.array(z.string()),
  /** Those of the removed files that a function may fetch when it asks for them after all. */
  fetchable: z.array(z.string()),
  /** Native libraries to compact. */
  compact: z.array(z.string()),
  /** Whether the bytecode of third-party code keeps its docstrings. */
  docstrings: z.boolean(),
  /** Python files of third parties that keep their source beside their bytecode, since something reads it. */
  sources: z.array(z.string()),
  /** Python files of third parties that import some things only when they are used. */
  lazy: z.record(z.string(), lazySchema),
  steps: z.array(stepReportSchema),
});

/** What is to be done to the tree of one artifact, as it was proven. */
export type Decisions = z.infer<typeof decisionsSchema>;

/** An artifact that stays as it is. */
export const NO_DECISIONS: Decisions = {
  remove: [],
  fetchable: [],
  compact: [],
  docstrings: true,
  sources: [],
  lazy: {},
  steps: [],
};

export const heavyImportSchema = z.object({
  /** The function whose cold start pays for it. */
  function: z.string(),
  /** Where the import stands: the artifact, and the file in it. */
  artifact: z.string(),
  file: z.string(),
  line: z.int(),
  /** Modules that it loads, what it pulls in included, in the order in which they were complete: the last is the one asked for. */
  modules: z.array(z.string()),
  /** Wall time, in milliseconds. */
  ms: z.number(),
  /** Bytes of the files of these modules. */
  bytes: z.int(),
  /** How many of the modules are loaded only when they are used now. */
  deferred: z.int(),
});

/** An import that costs much, of modules of which no Python code ran in an event. */
export type HeavyImport = z.infer<typeof heavyImportSchema>;

/** The decisions of a project's artifacts, by name: layers and functions apart. */
export const projectDecisionsSchema = z.object({
  heavyImports: z.array(heavyImportSchema),
  layer: z.record(z.string(), decisionsSchema),
  function: z.record(z.string(), decisionsSchema),
});
export type ProjectDecisions = z.infer<typeof projectDecisionsSchema>;
