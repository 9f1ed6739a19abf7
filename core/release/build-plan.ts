import { z } from 'zod';
import { distributionSchema } from '../build/resolve.ts';
import { decisionsSchema, modeSchema } from '../optimise/decisions.ts';
import { foreignBuildSchema } from '../project/foreign.ts';

/** The shape of a build plan as it travels, in JSON, from the machine that resolves to those that build and deploy. */

/** Placeholder of an environment variable that only the deployment knows, so that reading it does not fail. */
export const UNKNOWN_VALUE = 'known-after-deployment';

const architecture = z.enum(['x86_64', 'arm64']);

const target = z.object({ python: z.string().regex(/^3\.\d+$/), architecture });

const artifact = z.object({
  /** Of a nested template STACK.RESOURCE, at whatever depth. */
  logicalId: z.string(),
  /** A function's is its logical id. */
  name: z.string().regex(/^(?=.{1,140}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/),
  /** Content hash of everything that the artifact is built from, decisions included once they are there. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** What it is built for; of a function what it runs on. */
  target,
  distributions: z.array(distributionSchema),
  /** Files of the project that we ship in it: path in the project, name in the zip. */
  sources: z.array(z.object({ from: z.string(), to: z.string() })),
  /** AWS services whose models it keeps. */
  services: z.union([z.array(z.string()), z.literal('all')]),
  /** How it is built where we do not build it; nothing is decided then. */
  foreign: foreignBuildSchema.optional(),
  /** What the optimiser has decided; missing until it has. */
  decisions: decisionsSchema.optional(),
});

/** A layer that others have built, and what it holds. */
const external = z.object({
  /** Content hash. */
  id: z.string().regex(/^external:[0-9a-f]{64}$/),
  /** Its ARN, or what the template calls it. */
  name: z.string(),
  /** Unzipped. */
  bytes: z.int(),
  from: z.union([
    /** SHA-256 of its zip in the artifact bucket. */
    z.object({ stored: z.string().regex(/^[0-9a-f]{64}$/) }),
    /** Paths in the project. */
    z.object({ archive: z.string() }),
    z.object({ folder: z.string() }),
    z.object({ distributions: z.array(distributionSchema), target }),
  ]),
});

const layer = artifact.extend({
  /** Names of the layers that it needs on the path, those they need included. */
  requires: z.array(z.string()),
  wave: z.int(),
  /** Lambda's names of what it is for; empty: of anything. */
  runtimes: z.array(z.string()),
  architectures: z.array(z.string()),
  /** Whether functions of several Python versions use it, so that it keeps its sources. */
  keepsSources: z.boolean(),
  /** Names of all distributions that it would carry alone: what sharing saves is counted against these. */
  needs: z.array(z.string()),
});

const fn = artifact.extend({
  /** Names of its own layers, in its order. */
  layers: z.array(z.string()),
  /** How many layers of others it uses besides; they count against Lambda's limit. */
  foreignLayers: z.int(),
  /** Names of its own layers, and ids of those of others that are known, in its order. */
  stack: z.array(z.string()).default([]),
  handler: z.string(),
  /** Lambda's name: `python3.11`. */
  runtime: z.string(),
  architecture,
  /** What it may have, in MiB; missing where only the deployment knows. */
  memoryMb: z.number().optional(),
  environment: z.record(z.string(), z.string()),
  /** Why it is released without being called: this Lambda does not run its processor. */
  idle: z.string().optional(),
  smoke: z.array(z.object({ name: z.string(), event: z.unknown(), expect: z.unknown().optional() })),
});

export const buildPlanSchema = z.object({
  /** What most functions run on: for the project's tests. */
  target,
  mode: modeSchema,
  /** Modules that stay in any case. */
  keep: z.array(z.string()),
  /** Whether third-party modules put off imports that no workload needs at once. */
  lazy: z.boolean(),
  /** Whether third-party packages keep their sources beside their bytecode. */
  keepSources: z.boolean(),
  /** Whether functions fetch what was removed from the artifact bucket when they ask for it after all. */
  fetch: z.boolean(),
  /** The project's tests: a module with its arguments, and what they need besides the layers. */
  test: z.object({ run: z.array(z.string()), distributions: z.array(distributionSchema) }).optional(),
  /** Content hash of all that the decisions follow from: where they are found when nothing of it has changed. */
  decisionsKey: z.string().regex(/^[0-9a-f]{64}$/),
  layers: z.array(layer),
  functions: z.array(fn),
  /** The layers of others that are known, each once. */
  externals: z.array(external).default([]),
  /** Files of the project that may say where packages come from: addresses with credentials stay there. */
  requirementFiles: z.array(z.string()).default([]),
  /** In bytes, unzipped; total counts each distinct byte once. Of a cold start in ms. */
  budgets: z.object({
    layers: z.record(z.string(), z.int()),
    functions: z.record(z.string(), z.int()),
    total: z.int(),
    coldStart: z.int(),
    /** Those that nobody wrote: `functions.Hello`, `total`. What is over them is said, and released. */
    byDefault: z.array(z.string()).default([]),
  }),
  /** So many releases, this one included, can be gone back to: their layer versions stay. */
  keepReleases: z.int().min(2),
  /** Logical ids and types of resources whose data no release may end, beside those that always hold data. */
  protect: z.array(z.string()),
  /** How traffic goes over to new versions behind aliases. */
  traffic: z.object({
    /** In order; the last one is 100. Percent of the traffic, and how long the alarms are watched then, in seconds. */
    steps: z.array(z.object({ percent: z.int().min(1).max(100), bakeSeconds: z.int().min(0) })).min(1),
    /** Names of alarms that stop it, beside the functions' own. */
    alarms: z.array(z.string()),
  }),
  endpoints: z.array(
    z.object({ get: z.string(), status: z.int(), body: z.unknown().optional(), api: z.string().optional() }),
  ),
});

/** What this run must build. */
export type BuildPlan = z.infer<typeof buildPlanSchema>;
export type PlannedLayer = BuildPlan['layers'][number];
export type PlannedFunction = BuildPlan['functions'][number];
export type PlannedExternal = z.infer<typeof external>;
export type PlannedArtifact = z.infer<typeof artifact>;
