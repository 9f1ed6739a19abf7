import { z } from 'zod';
import { ProjectError } from '../errors.ts';
import { modeSchema } from '../optimise/decisions.ts';
import { MAX_BAKE_SECONDS } from '../release/limits.ts';
import { readProjectFile } from './files.ts';
import { parseYaml } from './yaml.ts';

export const CONFIG_FILE = 'plimsoll.yaml';

/** MB as in the documentation: 1,000,000 bytes. */
const MB = 1_000_000;

/** `105 MB`, `300 kB` or a plain number of bytes. */
const bytes = z
  .union([z.int().positive(), z.string().regex(/^\d+(\.\d+)? ?(kB|MB)$/, 'write bytes, or "105 MB"')])
  .transform((value) => {
    if (typeof value === 'number') return value;
    return Math.round(Number.parseFloat(value) * (value.endsWith('MB') ? MB : 1000));
  });

/** `3 s`, or `800 ms`. */
const duration = z
  .string()
  .regex(/^\d+(\.\d+)? ?(ms|s)$/, 'write "3 s" or "800 ms"')
  .transform((value) => Math.round(Number.parseFloat(value) * (value.endsWith('ms') ? 1 : 1000)));

/** A check of one HTTP endpoint of the deployed API. */
const endpoint = z.strictObject({
  /** Path and query, below the stage: `/predict?customerId=c-001`. */
  get: z
    .string()
    .regex(/^\/[^\s#]*$/, 'begin with / and hold no space')
    .max(2000),
  /** @default 200 */
  status: z.int().min(100).max(599).default(200),
  /** What the JSON answer must hold at least. @default nothing */
  body: z.unknown().optional(),
  /** Logical id of the API. @default the only API of the stack */
  api: z.string().optional(),
});

export const configSchema = z.strictObject({
  /** @default stack_name of samconfig.toml, else the folder's name; of an upload, the name in its key */
  stackName: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,127}$/)
    .optional(),
  /** Which template to deploy. @default template.yaml, template.yml or template.json */
  template: z
    .string()
    .regex(/^(?!\/)(?!.*\.\.)[\w./ -]+$/, 'a file of the project, from the folder of plimsoll.yaml')
    .optional(),
  /** Budgets, in bytes, unzipped, but for coldStart; they override the defaults of core/size/budget.ts. */
  budgets: z
    .strictObject({
      layers: z.record(z.string(), bytes).default({}),
      functions: z.record(z.string(), bytes).default({}),
      total: bytes.optional(),
      /** How long the handler's module of a function may take to import in Lambda. */
      coldStart: duration.optional(),
    })
    .default({ layers: {}, functions: {} }),
  optimise: z
    .strictObject({
      /** @default traced where every function has a smoke event, else rules */
      mode: modeSchema.optional(),
      /** Modules that stay though no workload uses them, with all below them: `sklearn.cluster`. @default none */
      keep: z
        .array(z.string().regex(/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/, 'write a module: sklearn.cluster'))
        .max(200)
        .default([]),
      /** Whether third-party modules make imports that no workload needs at once when they are used. @default false */
      lazy: z.boolean().default(false),
      /** Whether third-party packages keep their sources beside their bytecode. @default false */
      keepSources: z.boolean().default(false),
      /** Whether a function that asks for a removed module after all fetches it from the artifact bucket. @default false */
      fetch: z.boolean().default(false),
      /** Tests of the project that show what it needs, run in its folder like `python -m`. @default only the smoke events */
      test: z
        .strictObject({
          /** A module and its arguments: `[unittest, discover, -s, tests]`. */
          run: z.array(z.string().min(1).max(500)).min(1).max(50),
          /** What the tests need besides the layers. @default nothing */
          requirements: z
            .string()
            .regex(/^(?!\/)(?!.*\.\.)[\w./-]+$/, 'a file of the project, such as tests/requirements.txt')
            .optional(),
        })
        .optional(),
    })
    .default({ keep: [], lazy: false, keepSources: false, fetch: false }),
  /** AWS services whose models botocore keeps, beside those that the code names. @default the list in the rule file */
  botocore: z
    .strictObject({ keep: z.array(z.string().regex(/^[a-z0-9.-]+$/)).default([]) })
    .default({ keep: [] }),
  /**
   * What stands in the place of layers of others where these cannot be read: by ARN, with or without the version, or by the name of
   * the parameter, resource or export that gives it; a zip or a folder as Lambda unpacks it, or a requirements file.
   */
  external: z
    .record(
      z.string().min(1).max(500),
      z
        .string()
        .regex(/^(?!\/)(?!.*\.\.)[\w./ -]+$/, 'a file or folder of the project, such as layers/tools.zip'),
    )
    .default({}),
  /** So many releases can be gone back to, the running one included: layer versions that only older ones need are deleted. @default 5 */
  keepReleases: z.int().min(2).max(50).default(5),
  /** Resources with data, by logical id or type, that no release may delete or replace, beside those of core/release/stateful.ts. */
  protect: z
    .array(
      z
        .string()
        .regex(
          /^([A-Za-z0-9]{1,255}(\.[A-Za-z0-9]{1,255}){0,5}|[A-Za-z0-9]+(::[A-Za-z0-9]+){1,3})$/,
          'a logical id or a type',
        ),
    )
    .max(200)
    .default([]),
  /**
   * How traffic goes over to new versions of functions with AutoPublishAlias, once these have passed their smoke tests.
   * @default as the DeploymentPreference of the template says, else all at once
   */
  traffic: z
    .strictObject({
      /** Percent of the traffic, step by step, before all of it. @default all at once */
      steps: z.array(z.int().min(1).max(99)).max(10).default([]),
      /** How long the alarms are watched after each step, in seconds. @default 0 */
      bake: z.int().min(0).max(3600).default(0),
      /** Names of CloudWatch alarms that stop the release, beside those of the functions. @default none */
      alarms: z.array(z.string().min(1).max(255)).max(50).default([]),
    })
    .refine(({ steps }) => steps.every((step, index) => step > (steps[index - 1] ?? 0)), {
      message: 'each step must be more than the one before',
      path: ['steps'],
    })
    .refine(({ steps, bake }) => (steps.length + 1) * bake <= MAX_BAKE_SECONDS, {
      error: ({ input }) => {
        const { steps, bake } = input as { steps: unknown[]; bake: number };
        return `${steps.length} steps and then all of it, ${bake} s after each, are ${(steps.length + 1) * bake} s; a release may watch its traffic for ${MAX_BAKE_SECONDS} s in all. Take fewer steps or a shorter bake`;
      },
      path: ['bake'],
    })
    .optional(),
  smoke: z.strictObject({ endpoints: z.array(endpoint).max(50).default([]) }).default({ endpoints: [] }),
});

export type ProjectConfig = z.infer<typeof configSchema>;
export type EndpointCheck = ProjectConfig['smoke']['endpoints'][number];

/** How traffic goes over to new versions behind aliases. */
export interface Traffic {
  /** Percent, and how long the alarms are watched then, in seconds. The last step is all of it. */
  steps: { percent: number; bakeSeconds: number }[];
  /** Names of alarms that stop it, beside the functions' own. */
  alarms: string[];
}

/** As plimsoll.yaml says; undefined where it says nothing. */
export const trafficOf = ({ traffic }: ProjectConfig): Traffic | undefined =>
  traffic && {
    steps: [...traffic.steps, 100].map((percent) => ({ percent, bakeSeconds: traffic.bake })),
    alarms: traffic.alarms,
  };

/** "budgets.total: Invalid input", one line a problem. */
export function describeIssues(error: z.ZodError): string {
  // Of a key that breaks its pattern, zod itself says no more than that it is invalid.
  const messageOf = (issue: z.core.$ZodIssue) =>
    issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${messageOf(issue)}`).join('; ');
}

/**
 * Reads plimsoll.yaml; a project without one gets the defaults.
 * @param home folder of the file, a path in the project
 * @throws ProjectError naming the key and the value
 */
export async function readConfig(root: string, home = ''): Promise<ProjectConfig> {
  const file = home === '' ? CONFIG_FILE : `${home}/${CONFIG_FILE}`;
  const text = await readProjectFile(root, file);
  const raw = text === undefined ? {} : (parseYaml(text, file) ?? {});
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) throw new ProjectError(`${file}: ${describeIssues(parsed.error)}`);
  return parsed.data;
}
