import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Listr } from 'listr2';
import { z } from 'zod';
import { manifestSchema } from '../../core/build/manifest.ts';
import { isOnPath } from '../../core/build/on-path.ts';
import { exitCodeOf } from '../../core/error-names.ts';
import { AlreadyStartedError, InvalidInputError } from '../../core/errors.ts';
import { openProjectAt, type ProjectPlace } from '../../core/project/open.ts';
import type { Project } from '../../core/project/project.ts';
import { rejectUnreleasable } from '../../core/project/releasable.ts';
import { rejectUnbuilt, withoutUnbuilt } from '../../core/project/unbuilt.ts';
import type { Rights } from '../../core/release/boundary.ts';
import { type BuildPlan, buildPlanSchema } from '../../core/release/build-plan.ts';
import { probeSchema, remarksOnStart } from '../../core/release/probe.ts';
import { failureMessage } from '../../core/release/record.ts';
import {
  keys,
  releaseSchema,
  type Start,
  stackNameSchema,
  type startSchema,
} from '../../core/release/release.ts';
import { smokeReportSchema } from '../../core/release/smoke-report.ts';
import { storedSchema } from '../../core/release/stored.ts';
import { type SizeReport, sizeReportSchema } from '../../core/size/report.ts';
import { Follower } from '../follow/follower.ts';
import { releaseTasks, rollbackTasks } from '../follow/tasks.ts';
import { packProject } from '../pack.ts';
import type { ExecutionEnd, PipelineClient } from '../pipeline-client.ts';
import { sizeTable, startTable, timingTable } from '../show/release.ts';
import { remarks } from '../show/remarks.ts';
import { rendererOf } from '../show/renderer.ts';
import { bold, duration, green, red } from '../show/table.ts';

export interface DeployOptions extends ProjectPlace {
  stackName?: string;
  environment?: string;
  bedrockModel?: string;
  parameter: Record<string, string>;
  rollback: boolean;
  allowDataLoss: string[];
  whenLocked: Start['whenLocked'];
  unlock: boolean;
  pipeline: string;
  json: boolean;
}

/** Where the pipeline is and how its URLs are reached from here. */
export interface Place {
  client: PipelineClient;
  /** What the pipeline does with functions that it cannot build. */
  unbuilt: Rights['unbuilt'];
  /** What of a template it does not create, a line each, for people. @default nothing */
  placeholdersIn?(document: Readonly<Record<string, unknown>>): string[];
  reachable(url: string): string;
}

const outputSchema = z.object({
  release: releaseSchema,
  /** All of them lie in the artifact bucket. */
  outputs: storedSchema,
  probes: z.array(storedSchema),
  smoke: z.array(storedSchema),
  /** A line for each function that changed without a proof on a temporary twin, and why. */
  unproven: z.array(z.string()),
});

const say = (json: boolean, text: string) => {
  if (!json) console.log(text);
};

function parametersOf({ environment, bedrockModel, parameter }: DeployOptions): Record<string, string> {
  return {
    ...(environment === undefined ? {} : { Environment: environment }),
    ...(bedrockModel === undefined ? {} : { BedrockModelId: bedrockModel }),
    ...parameter,
  };
}

/**
 * The stack of a project: by the option, else plimsoll.yaml, else samconfig, else its folder's name.
 * @param otherwise of samconfig, or its folder's name
 * @throws InvalidInputError
 */
export function stackNameOf(
  option: string | undefined,
  configured: string | undefined,
  otherwise: string,
): string {
  const found = option ?? configured ?? otherwise;
  const parsed = stackNameSchema.safeParse(found);
  if (parsed.success) return parsed.data;
  const from = option === undefined ? 'stack name' : '--stack-name';
  throw new InvalidInputError(
    `${from}: "${found}" is not a stack name: ${parsed.error.issues[0]?.message}\n  Give --stack-name NAME, or set stackName in plimsoll.yaml.`,
  );
}

/** A project that can be handed to the pipeline, and to which stack. */
export interface Prepared {
  project: Project;
  stackName: string;
  /** Of samconfig. */
  region?: string | undefined;
}

/** All that can be checked before anything is started or uploaded. @throws ProjectError, TemplateError, UnsupportedProjectError, InvalidInputError */
export async function prepare(options: DeployOptions, unbuilt: Rights['unbuilt']): Promise<Prepared> {
  const { project, stackName: otherwise, region } = await openProjectAt(options, parametersOf(options));
  rejectUnreleasable(project);
  if (unbuilt === 'reject') rejectUnbuilt(project);
  const stackName = stackNameOf(options.stackName, project.config.stackName, otherwise);
  return { project, stackName, region };
}

/** Follows an execution live. @returns its end, whatever it is */
export async function watch(follower: Follower, json: boolean): Promise<ExecutionEnd> {
  const renderer = rendererOf(json);
  const end = follower.follow();
  // The tasks only wait; what went wrong is in the execution's end.
  const failed = await new Listr(releaseTasks(follower), { ...renderer, exitOnError: true }).run().then(
    () => false,
    () => true,
  );
  if (failed) await new Listr(rollbackTasks(follower), { ...renderer, exitOnError: false }).run();
  return end;
}

/** What the release weighs, as far as the pipeline has measured it. */
async function sizesOf(
  client: PipelineClient,
  release: { id: string; stackName: string },
): Promise<{ plan: BuildPlan; report: SizeReport; text: string; notes: string[] }> {
  const [report, plan] = await Promise.all([
    client.read(keys.sizes(release), sizeReportSchema),
    client.read(keys.plan(release), buildPlanSchema),
  ]);
  const manifests = await Promise.all([
    ...plan.layers.map(({ name, key }) => client.read(keys.manifest('layer', name, key), manifestSchema)),
    ...plan.functions.map(({ name, key }) =>
      client.read(keys.manifest('function', name, key), manifestSchema),
    ),
  ]);
  return { plan, report, text: sizeTable(report, plan, manifests), notes: remarks(manifests, report) };
}

function timings(follower: Follower): { state: string; item?: string; status: string; ms: number }[] {
  return follower.all.map(({ state, item, status, startedAt, endedAt = startedAt }) => ({
    state,
    ...(item ? { item } : {}),
    status,
    ms: endedAt - startedAt,
  }));
}

interface Following {
  json: boolean;
  /** When the command began, by performance.now(). */
  begin: number;
  /** What is not released, a line each. @default nothing */
  left?: readonly string[];
  /** A path whose answer is shown at the end. */
  get?: string | undefined;
}

/** Follows a release to its end and shows it. @returns the exit code */
export async function followRelease(
  executionArn: string,
  { client, reachable }: Place,
  { json, begin, left = [], get }: Following,
): Promise<number> {
  const follower = new Follower(client, executionArn);
  const end = await watch(follower, json);
  const ms = performance.now() - begin;
  if (end.status !== 'SUCCEEDED') {
    const message = failureMessage({ Error: end.error ?? end.status, Cause: end.cause ?? '' });
    const name = end.error ?? end.status;
    if (json)
      console.log(
        JSON.stringify({
          status: end.status,
          executionArn,
          error: name,
          message,
          states: timings(follower),
          ms: Math.round(ms),
        }),
      );
    else console.error(`\n${red(`${name}: ${message}`)}\n\n${timingTable(follower.all)}`);
    return exitCodeOf(name);
  }
  const ended = JSON.parse(end.output ?? '{}') as { alreadyStarted?: boolean };
  if (ended.alreadyStarted) throw new AlreadyStartedError('this has been done by another execution already');
  const output = outputSchema.parse(ended);
  const outputs = await client.load(output.outputs, z.record(z.string(), z.string()));
  const probes = (await client.loadAll(output.probes, z.array(probeSchema))).flat();
  const smoke = (await client.loadAll(output.smoke, smokeReportSchema)).flatMap(({ passed }) => passed);
  const urls = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, reachable(value)]));
  const { plan, report, text, notes: ofBuild } = await sizesOf(client, output.release);
  const idle = plan.functions.flatMap((fn) => (fn.idle ? [`Not called: ${fn.logicalId}: ${fn.idle}.`] : []));
  const notes = [
    ...left,
    ...idle,
    ...ofBuild,
    ...probes.flatMap((probe) => remarksOnStart(probe, plan.budgets)),
  ];
  if (json) {
    console.log(
      JSON.stringify({
        status: end.status,
        executionArn,
        // There may be secrets among the values of its parameters, and what is printed is kept in many a log.
        release: { ...output.release, parameters: undefined },
        outputs: urls,
        sizes: report,
        probes,
        smoke,
        unproven: output.unproven,
        remarks: notes,
        states: timings(follower),
        ms: Math.round(ms),
      }),
    );
    return 0;
  }
  console.log(`\n${timingTable(follower.runs)}\n\n${text}\n`);
  if (probes.length > 0) console.log(`${startTable(probes)}\n`);
  for (const line of notes) console.log(line);
  for (const line of output.unproven)
    console.log(`Changed without a proof on a temporary twin, and tested once it was live: ${line}.`);
  console.log(green(`Released ${output.release.id} in ${duration(ms)}; ${smoke.length} smoke tests passed.`));
  for (const [name, value] of Object.entries(urls)) console.log(`  ${name}: ${value}`);
  const answer = await firstAnswer(Object.values(urls), get);
  if (answer) console.log(`  ${answer}`);
  return 0;
}

/** Hands a project to the pipeline and follows it. @returns the exit code */
export async function deploy(options: DeployOptions, place: Place): Promise<number> {
  const { json } = options;
  const { client } = place;
  const begin = performance.now();
  // What is wrong with the project is said before anything is uploaded.
  const { project, stackName } = await prepare(options, place.unbuilt);
  const { parameters } = project;
  const { unbuilt } = place.unbuilt === 'stub' ? withoutUnbuilt(project, isOnPath) : project;
  const left = [
    ...unbuilt.map(({ logicalId, why }) => `Not released here: ${logicalId}: ${why}.`),
    ...(place.placeholdersIn?.(project.template.document) ?? []),
    ...project.remarks.map((line) => `Note: ${line}.`),
  ];
  const { rollback, allowDataLoss, whenLocked, unlock } = options;
  const how = { stackName, parameters, rollback, allowDataLoss, whenLocked, unlock };
  const { executionArn, bytes } = await handOver(client, project.root, how, project);
  say(json, `${bold(stackName)}: ${(bytes / 1000).toFixed(0)} kB uploaded, execution ${executionArn}\n`);
  return followRelease(executionArn, place, {
    json,
    begin,
    left,
    get: project.config.smoke.endpoints[0]?.get,
  });
}

/** Uploads a project and starts its release. @returns the execution, and how many bytes were uploaded */
export async function handOver(
  client: PipelineClient,
  root: string,
  how: Omit<z.input<typeof startSchema>, 'source'> & { stackName: string },
  project?: Project,
): Promise<{ executionArn: string; bytes: number }> {
  const workdir = await mkdtemp(join(tmpdir(), 'plimsoll-deploy-'));
  try {
    const zip = await packProject(root, workdir, project);
    const source = await client.upload(how.stackName, zip.path);
    return { executionArn: await client.start({ source, ...how }), bytes: zip.bytes };
  } finally {
    await rm(workdir, { recursive: true, force: true });
  }
}

/** What the first endpoint that was tested answers now, when one of the stack's outputs is its address. */
async function firstAnswer(values: readonly string[], get: string | undefined): Promise<string | undefined> {
  const path = get?.split('?')[0];
  const base = path && values.find((value) => value.endsWith(path));
  if (!get || !path || !base) return undefined;
  const url = `${base}${get.slice(path.length)}`;
  const response = await fetch(url);
  return `curl '${url}' answers ${response.status}:\n    ${(await response.text()).slice(0, 500)}`;
}
