import {
  type CloudWatchClient,
  DeleteAlarmsCommand,
  DescribeAlarmsCommand,
  GetDashboardCommand,
} from '@aws-sdk/client-cloudwatch';

/** DescribeAlarms takes so many names at once (CloudWatch API reference). */
const NAMES_AT_ONCE = 100;

/** Lists in parts that DescribeAlarms and DeleteAlarms take. */
export const inParts = (names: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(names.length / NAMES_AT_ONCE) }, (_, index) =>
    names.slice(index * NAMES_AT_ONCE, (index + 1) * NAMES_AT_ONCE),
  );

/** Those of the names for which there is an alarm. */
export async function existingAlarms(
  cloudwatch: CloudWatchClient,
  names: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const part of inParts(names)) {
    const { MetricAlarms = [] } = await cloudwatch.send(
      new DescribeAlarmsCommand({ AlarmNames: part, MaxRecords: NAMES_AT_ONCE }),
    );
    found.push(...MetricAlarms.flatMap(({ AlarmName }) => AlarmName ?? []));
  }
  return found;
}

/** Deletes those of the alarms that are there: one that is not would fail the call. @returns their names */
export async function deleteAlarms(
  cloudwatch: CloudWatchClient,
  names: readonly string[],
): Promise<string[]> {
  const found = await existingAlarms(cloudwatch, names);
  for (const AlarmNames of inParts(found)) await cloudwatch.send(new DeleteAlarmsCommand({ AlarmNames }));
  return found;
}

/** CloudWatch says so by the name of its model, or by the code of its query protocol (API reference, GetDashboard). */
export const isNoDashboard = (error: unknown): boolean =>
  error instanceof Error && ['DashboardNotFoundError', 'ResourceNotFound'].includes(error.name);

export async function hasDashboard(cloudwatch: CloudWatchClient, name: string): Promise<boolean> {
  try {
    await cloudwatch.send(new GetDashboardCommand({ DashboardName: name }));
    return true;
  } catch (error) {
    if (isNoDashboard(error)) return false;
    throw error;
  }
}
