import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { ArtifactBucket } from '../../../handlers/lib/artifact-bucket.ts';
import { watchAlarms } from '../../../handlers/watch-alarms.ts';
import { answering } from '../../support/answering.ts';
import { release } from '../../support/release.ts';

/** The plan and the held aliases, which is all that the handler reads. */
class Bucket extends ArtifactBucket {
  override readJson = async () => ({ traffic: { alarms: ['orders-missing'] } }) as never;
  override load = async () => [{ function: 'Hello' }] as never;
}

interface Known {
  AlarmName: string;
  kind: 'MetricAlarm' | 'CompositeAlarm';
  StateValue: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  StateUpdatedTimestamp: Date;
}

/**
 * Answers as DescribeAlarms does (CloudWatch API reference): the alarms of the names, the types and the state asked for;
 * metric alarms alone where no type is asked for.
 */
function cloudWatchWith(alarms: readonly Known[]) {
  return answering(new CloudWatchClient({ region: 'us-east-1' }), (_call, input) => {
    const { AlarmNames, AlarmTypes = ['MetricAlarm'], StateValue } = input as Record<string, string[]>;
    const found = alarms.filter(
      (one) =>
        AlarmNames?.includes(one.AlarmName) &&
        AlarmTypes.includes(one.kind) &&
        one.StateValue === String(StateValue),
    );
    const of = (kind: Known['kind']) => found.filter((one) => one.kind === kind);
    return { MetricAlarms: of('MetricAlarm'), CompositeAlarms: of('CompositeAlarm') };
  });
}

const watch = (alarms: readonly Known[]) => {
  const { client: cloudwatch, asked } = cloudWatchWith(alarms);
  const end = watchAlarms(
    {
      release,
      held: { key: 'held.json', bytes: 1, sha256: '' },
      since: '2026-11-26T12:10:00.500Z',
      until: '2026-11-26T12:11:00.000Z',
    },
    { cloudwatch, bucket: new Bucket(new S3Client({ region: 'us-east-1' }), 'artifacts') },
  );
  return { end, asked };
};

const alarm = (state: Known['StateValue'], at: string, kind: Known['kind'] = 'MetricAlarm'): Known => ({
  AlarmName: 'orders-missing',
  kind,
  StateValue: state,
  StateUpdatedTimestamp: new Date(at),
});

describe('the alarms while traffic goes over', () => {
  it('are asked for with both types, those of the functions and those that plimsoll.yaml names', async () => {
    const { end, asked } = watch([]);
    expect(await end).toEqual({ done: true });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.input).toMatchObject({
      AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
      StateValue: 'ALARM',
      AlarmNames: expect.arrayContaining(['orders-missing', expect.stringContaining('Hello')]),
    });
  });

  it.each(['MetricAlarm', 'CompositeAlarm'] as const)('end the shift where a %s goes off', async (kind) => {
    const { end } = watch([alarm('ALARM', '2026-11-26T12:10:30.000Z', kind)]);
    await expect(end).rejects.toMatchObject({
      name: 'AlarmDuringShiftError',
      message: expect.stringContaining('orders-missing'),
    });
  });

  it('count within the second in which the shift began, as their time is told in whole seconds', async () => {
    const { end } = watch([alarm('ALARM', '2026-11-26T12:10:00.000Z')]);
    await expect(end).rejects.toThrow('orders-missing');
  });

  it('say nothing where they have gone off before, or have no data yet', async () => {
    expect(await watch([alarm('ALARM', '2026-11-26T12:09:59.000Z')]).end).toEqual({ done: true });
    expect(await watch([alarm('INSUFFICIENT_DATA', '2026-11-26T12:10:30.000Z')]).end).toEqual({ done: true });
  });
});
