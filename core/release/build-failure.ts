/** What a person is told about a build that did not succeed, and how long to wait for one that could not start. Pure. */

/** A build as CodeBuild's API describes it. */
export interface BuildRecord {
  id: string;
  /** FAILED, FAULT, TIMED_OUT, STOPPED or IN_PROGRESS. */
  status: string;
  phases: readonly BuildPhase[];
  /** Its log in CloudWatch; empty where it never wrote one. */
  log: { group?: string | undefined; stream?: string | undefined; link?: string | undefined };
}

/** One phase; the reason of a failure stands in its contexts (CodeBuild API reference, BuildPhase and PhaseContext). */
export interface BuildPhase {
  type: string;
  /** Absent while it runs. */
  status?: string | undefined;
  contexts: readonly { code?: string | undefined; message?: string | undefined }[];
}

/** So many lines from the end of a log are shown. */
export const LAST_LINES = 20;
const MAX_LINE = 300;

const cut = (line: string) => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line);

/** The phase in which a build ended: the first that did not succeed, else the one that still ran. */
function lastPhase({ phases }: BuildRecord): BuildPhase | undefined {
  const failed = phases.find(({ status }) => status !== undefined && status !== 'SUCCEEDED');
  return failed ?? phases.findLast(({ type, status }) => status === undefined && type !== 'COMPLETED');
}

/** The reason that CodeBuild gives: `COMMAND_EXECUTION_ERROR: …`. */
function reasonOf({ contexts }: BuildPhase): string {
  return contexts
    .map(({ code, message }) => [code, message?.trim()].filter((part) => part).join(': '))
    .filter((text) => text !== '')
    .join('; ');
}

function whereLog({ log: { group, stream, link } }: BuildRecord): string {
  if (link !== undefined) return link;
  if (group === undefined) return 'it has no log';
  return `log group ${group}${stream === undefined ? '' : `, stream ${stream}`}`;
}

/**
 * The message of a build that left no reason of its own.
 * @param step the build's name: resolve, layer-NAME
 * @param lines of its log, the last ones
 */
export function describeBuild(step: string, build: BuildRecord, lines: readonly string[]): string {
  const phase = lastPhase(build);
  const reason = phase === undefined ? '' : reasonOf(phase);
  const queued = phase?.type === 'QUEUED';
  const head = [
    `build ${step} ended ${build.status}`,
    queued ? ' while it was in the queue: as many builds ran as the account may run at once' : '',
    phase !== undefined && !queued ? ` in phase ${phase.type}` : '',
    reason === '' ? '' : `: ${reason}`,
  ].join('');
  const shown = lines.map((line) => line.trimEnd()).filter((line) => line !== '');
  const last = shown.slice(-LAST_LINES).map((line) => `\n    ${cut(line)}`);
  return [
    head,
    last.length > 0 ? `\n  The last lines of its log:${last.join('')}` : '',
    `\n  The whole log: ${whereLog(build)}`,
    queued ? `\n  ${RAISE_QUOTA}` : '',
  ].join('');
}

/** The quota of the compute type that the builds run on; its name is that of CodeBuild's user guide, "Quotas for AWS CodeBuild". */
export const BUILD_QUOTA = {
  code: 'L-2DC20C30',
  name: 'Concurrently running builds for Linux/Medium environment',
};

const RAISE_QUOTA = `Request an increase of the quota "${BUILD_QUOTA.name}" (${BUILD_QUOTA.code}) of AWS CodeBuild in the Service Quotas console.`;

/**
 * How many builds the account may have in CodeBuild's queue, where that limit is why a build did not start; undefined
 * where it is not, Infinity where AWS does not say how many. CodeBuild answers AccountLimitExceededException, "Cannot
 * have more than N builds in queue for the account"; Step Functions puts "CodeBuild." before it.
 */
export function accountLimit(error: {
  Error?: string | undefined;
  Cause?: string | undefined;
}): number | undefined {
  const { Error: name = '', Cause = '' } = error;
  if (!name.includes('AccountLimitExceededException')) return undefined;
  const [, limit] = /more than (\d+) /.exec(Cause) ?? [];
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
}

/** Why a build can never start in an account whose limit is 0, and what to do. */
export const NO_BUILDS = `this account may run no builds in CodeBuild yet ("Cannot have more than 0 builds in queue for the account"), as new accounts often may not.\n  ${RAISE_QUOTA}\n  If the quota is above 0 already, give the account a valid payment method, or open a case with AWS Support; then start again.`;

const MIN_WAIT = 15;
const MAX_WAIT = 600;

/**
 * Seconds until a build that found no room is started again: a sixth of what the release has taken so far, so that one
 * that waits for hours writes few events into its execution's history; between half of that and all, so that releases
 * that wait together do not ask together.
 * @param elapsed seconds since the release began
 * @param random from 0 to 1
 */
export function secondsToWait(elapsed: number, random: number): number {
  const longest = Math.min(MAX_WAIT, Math.max(MIN_WAIT, elapsed / 6));
  return Math.ceil(longest * (0.5 + random / 2));
}
