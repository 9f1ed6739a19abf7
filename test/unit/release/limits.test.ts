import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  BAKE_POLL_SECONDS,
  DEPLOY_SECONDS,
  LAMBDA_SECONDS,
  MAX_BAKE_SECONDS,
  MAX_EVENTS,
  mostEvents,
  ROLLBACK_SECONDS,
  whyTooLong,
} from '../../../core/release/limits.ts';
import { stateMachineFile } from '../../../infra/paths.ts';

const once = [{ bakeSeconds: 0 }];
const longest = Array.from({ length: 8 }, () => ({ bakeSeconds: MAX_BAKE_SECONDS / 8 }));

describe('what a release may take', () => {
  it('is far from the limit for 300 functions, whose traffic is watched for as long as plimsoll.yaml can say', () => {
    expect(mostEvents({ functions: 300, steps: longest })).toBeLessThan(0.9 * MAX_EVENTS);
    expect(whyTooLong({ functions: 300, steps: longest })).toBeUndefined();
  });

  it('counts each look at the alarms, and each call that proves functions', () => {
    const none = mostEvents({ functions: 0, steps: once });
    const oneMinute = mostEvents({ functions: 0, steps: [{ bakeSeconds: 60 }] });
    expect(oneMinute - none).toBe((60 / BAKE_POLL_SECONDS) * 9);
    expect(mostEvents({ functions: 300, steps: once })).toBeGreaterThan(none + 300);
  });

  it('says with the figures why it is too much, and what to do', () => {
    expect(whyTooLong({ functions: 1500, steps: longest })).toMatch(
      /^1500 functions with 8 steps of 900 s may take 2\d{4} events; an execution of Step Functions may have 25000\. Take fewer steps/,
    );
  });

  it('leaves half of the time of the deploy machine for what is not watching, and the roll back its time', () => {
    expect(MAX_BAKE_SECONDS).toBeLessThanOrEqual(DEPLOY_SECONDS / 2);
    expect(LAMBDA_SECONDS).toBeLessThan(ROLLBACK_SECONDS);
  });

  it('knows how often the deploy machine looks at the alarms', () => {
    const { States } = JSON.parse(readFileSync(stateMachineFile('deploy'), 'utf8'));
    expect(States.ShiftTraffic.ItemProcessor.States.Bake.Seconds).toBe(BAKE_POLL_SECONDS);
  });
});
