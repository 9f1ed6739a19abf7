/** The alarms and the dashboard that a released stack gets. Pure: descriptions that the handler hands to CloudWatch. */

export interface DeployedFunction {
  logicalId: string;
  /** The function's physical name. */
  name: string;
  /** Its time limit, in ms. */
  timeoutMs: number;
}

export interface Alarm {
  name: string;
  description: string;
  metric: string;
  functionName: string;
  statistic: 'Sum' | 'Maximum';
  /** In the metric's unit: a count, or ms. */
  threshold: number;
  periodSeconds: number;
  evaluationPeriods: number;
}

/** A run that takes more of its time limit than this is about to fail. */
const NEAR_TIMEOUT = 0.8;

/** Logs of a function that nobody gave a retention are kept so long, in days. */
export const RETENTION_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Whether a log group may get a retention: where nobody has chosen one, and none of its logs is so old that it would be gone.
 * @param creationTime in ms since 1970 @param now likewise
 */
export const mayLimit = (
  {
    retentionInDays,
    creationTime,
  }: { retentionInDays?: number | undefined; creationTime?: number | undefined },
  now: number,
): boolean =>
  retentionInDays === undefined && creationTime !== undefined && now - creationTime < RETENTION_DAYS * DAY_MS;

const alarmPrefix = (stackName: string): string => `${stackName}-`;
/** @param pipeline whose dashboard it is: its roles may touch no other pipeline's */
export const dashboardName = (pipeline: string, stackName: string): string => `${pipeline}-${stackName}`;

/** Three alarms a function: errors, throttles, and runs that come near the time limit. */
export function alarmsOf(stackName: string, functions: readonly DeployedFunction[]): Alarm[] {
  return functions.flatMap(({ logicalId, name, timeoutMs }) => {
    const alarm = (kind: string, rest: Omit<Alarm, 'name' | 'functionName' | 'periodSeconds'>): Alarm => ({
      name: `${alarmPrefix(stackName)}${logicalId}-${kind}`,
      functionName: name,
      periodSeconds: 60,
      ...rest,
    });
    const near = Math.round(timeoutMs * NEAR_TIMEOUT);
    return [
      alarm('errors', {
        description: `${logicalId} failed; see the logs of ${name}`,
        metric: 'Errors',
        statistic: 'Sum',
        threshold: 1,
        evaluationPeriods: 1,
      }),
      alarm('throttles', {
        description: `${logicalId} is refused invocations; raise its reserved or the account's concurrency`,
        metric: 'Throttles',
        statistic: 'Sum',
        threshold: 1,
        evaluationPeriods: 2,
      }),
      alarm('duration', {
        description: `${logicalId} ran longer than ${near} ms of its ${timeoutMs} ms`,
        metric: 'Duration',
        statistic: 'Maximum',
        threshold: near,
        evaluationPeriods: 3,
      }),
    ];
  });
}

/** The names that `alarmsOf` gives for functions of these logical ids. */
export function alarmNames(stackName: string, logicalIds: readonly string[]): string[] {
  return alarmsOf(
    stackName,
    logicalIds.map((logicalId) => ({ logicalId, name: '', timeoutMs: 0 })),
  ).map(({ name }) => name);
}

const WIDGET_HEIGHT = 6;

/** A dashboard takes 500 widgets and 2,500 metrics (CloudWatch user guide, "CloudWatch service quotas"). */
const MAX_ROWS = 249;
const MAX_SHOWN = 500;

function metricWidget(
  y: number,
  x: number,
  title: string,
  region: string,
  metrics: unknown[],
  stat: string,
): object {
  const properties = { title, region, view: 'timeSeries', stat, period: 60, metrics };
  return { type: 'metric', x, y, width: 12, height: WIDGET_HEIGHT, properties };
}

/**
 * Body of the dashboard, JSON as CloudWatch reads it ("Dashboard body structure and syntax"): a row a function; where there are
 * too many of them, several share one; those beyond the first 500 are left out, as the title says.
 */
export function dashboardBody(
  stackName: string,
  functions: readonly Pick<DeployedFunction, 'logicalId' | 'name'>[],
  region: string,
): string {
  const shown = functions.slice(0, MAX_SHOWN);
  const perRow = Math.ceil(shown.length / MAX_ROWS);
  const groups = Array.from({ length: perRow === 0 ? 0 : Math.ceil(shown.length / perRow) }, (_, index) =>
    shown.slice(index * perRow, (index + 1) * perRow),
  );
  const metric = (of: string, name: string) => ['AWS/Lambda', of, 'FunctionName', name];
  const rows = groups.map((group, index) => {
    const y = 1 + index * WIDGET_HEIGHT;
    const counts = group.flatMap(({ name }) =>
      ['Invocations', 'Errors', 'Throttles'].map((of) => metric(of, name)),
    );
    const durations = group.flatMap(({ name }) =>
      ['p50', 'p99'].map((stat) => [...metric('Duration', name), { stat }]),
    );
    const who = group.map(({ logicalId }) => logicalId).join(', ');
    return [
      metricWidget(y, 0, `${who}: calls`, region, counts, 'Sum'),
      metricWidget(y, 12, `${who}: duration`, region, durations, 'p50'),
    ];
  });
  const left = functions.length - shown.length;
  const title = {
    type: 'text',
    x: 0,
    y: 0,
    width: 24,
    height: 1,
    properties: { markdown: `# ${stackName}${left > 0 ? ` (${left} more functions)` : ''}` },
  };
  return JSON.stringify({ widgets: [title, ...rows.flat()] });
}
