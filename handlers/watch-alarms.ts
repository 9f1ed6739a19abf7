import { AlarmType, CloudWatchClient, paginateDescribeAlarms, StateValue } from '@aws-sdk/client-cloudwatch';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { AlarmDuringShiftError } from '../core/errors.ts';
import { buildPlanSchema } from '../core/release/build-plan.ts';
import { heldSchema } from '../core/release/hold.ts';
import { alarmNames } from '../core/release/observability.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import { storedSchema } from '../core/release/stored.ts';
import { inParts } from './lib/alarms.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** The aliases that are held. */
  held: storedSchema,
  /** When the stack began to change: nothing that goes off from then on, between two steps either, is passed over. */
  since: z.iso.datetime(),
  until: z.iso.datetime(),
});

interface Clients {
  cloudwatch: CloudWatchClient;
  bucket: ArtifactBucket;
}

/**
 * Looks at the alarms while traffic goes over: those of the functions, and those that plimsoll.yaml names. One that has been
 * red since before says nothing of the new version.
 * @throws AlarmDuringShiftError naming the alarms that went off
 */
export async function watchAlarms(
  { release, held: stored, since, until }: z.output<typeof inputSchema>,
  { cloudwatch, bucket }: Clients,
): Promise<{ done: boolean }> {
  const held = await bucket.load(stored, z.array(heldSchema));
  const { traffic } = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const own = alarmNames(
    release.stackName,
    held.map((one) => one.function),
  );
  const names = [...new Set([...own, ...traffic.alarms])];
  // The time of an alarm may be told in whole seconds: within the second in doubt it counts.
  const from = Math.floor(Date.parse(since) / 1000) * 1000;
  const red: string[] = [];
  for (const AlarmNames of inParts(names)) {
    // Without their type, composite alarms are left out (CloudWatch API reference, DescribeAlarms).
    const AlarmTypes = [AlarmType.MetricAlarm, AlarmType.CompositeAlarm];
    const query = { AlarmNames, AlarmTypes, StateValue: StateValue.ALARM };
    for await (const { MetricAlarms = [], CompositeAlarms = [] } of paginateDescribeAlarms(
      { client: cloudwatch },
      query,
    ))
      for (const { AlarmName = '', StateUpdatedTimestamp, StateReason } of [
        ...MetricAlarms,
        ...CompositeAlarms,
      ])
        if ((StateUpdatedTimestamp ?? new Date()).getTime() >= from)
          red.push(`${AlarmName}: ${StateReason ?? 'no reason given'}`);
  }
  if (red.length > 0)
    throw new AlarmDuringShiftError(
      `${red.length === 1 ? 'an alarm' : `${red.length} alarms`} went off while traffic went over to the new version: ${red.slice(0, 3).join('; ')}. All of it goes to the previous version again; see the logs of the function.`,
    );
  return { done: Date.now() >= Date.parse(until) };
}

export const handler = lambdaHandler('WatchAlarms', inputSchema, (input) =>
  watchAlarms(input, {
    cloudwatch: new CloudWatchClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
