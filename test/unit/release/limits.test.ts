import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ACTIVE_SECONDS,
  BAKE_POLL_SECONDS,
  BATCH_SIZE,
  BATCHES_AT_ONCE,
  batchesOf,
  DEPLOY_SECONDS,
  inBatch,
  LAMBDA_SECONDS,
  MAX_BAKE_SECONDS,
  MAX_EVENTS,
  mostEvents,
  PART_SIZE,
  PROBE_ATTEMPTS,
  PROBE_SECONDS,
  partFrom,
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
    expect(whyTooLong({ functions: 2500, steps: longest })).toMatch(
      /^2500 functions with 8 steps of 900 s may take 2\d{4} events; an execution of Step Functions may have 25000\. Take fewer steps/,
    );
  });

  it('leaves half of the time of the deploy machine for what is not watching, and the roll back its time', () => {
    expect(MAX_BAKE_SECONDS).toBeLessThanOrEqual(DEPLOY_SECONDS / 2);
    expect(LAMBDA_SECONDS).toBeLessThan(ROLLBACK_SECONDS);
  });

  it('proves each function in one batch, and comes to the end of all parts', () => {
    const functions = Array.from({ length: 301 }, (_, index) => index);
    expect(batchesOf(301).flatMap((batch) => inBatch(functions, batch))).toEqual(functions);
    const seen: number[] = [];
    for (let from: number | null = 0; from !== null; ) {
      const found: { part: number[]; next: number | null } = partFrom(functions, from);
      seen.push(...found.part);
      from = found.next;
    }
    expect(seen).toEqual(functions);
    expect([batchesOf(0), partFrom([], 0)]).toEqual([[], { part: [], next: null }]);
  });

  it('no call of a handler comes near its time: a batch takes as long as its slowest function', () => {
    // A function each of whose three probes is as slow as it may be, and removed again.
    expect(PROBE_ATTEMPTS * (ACTIVE_SECONDS + PROBE_SECONDS + 10)).toBeLessThan(0.9 * LAMBDA_SECONDS);
    // A cold start of 5 s and a smoke event of 10 s, side by side.
    expect(ACTIVE_SECONDS + 5 + 10).toBeLessThan(0.2 * LAMBDA_SECONDS);
    // Three alarms a function, three a second; two control-plane calls a function, 15 a second; then the logs, 5 a second.
    expect(PART_SIZE * (3 / 3 + 2 / 15 + 3 / 5)).toBeLessThan(0.5 * 300);
  });

  it('300 functions are proven within minutes, and take a small part of what an account may run at once', () => {
    const rounds = Math.ceil(batchesOf(300).length / BATCHES_AT_ONCE);
    // Created, started cold, called and removed: four times, for probes, twins, held and live versions.
    expect(4 * rounds * (15 + 5 + 10)).toBeLessThan(0.2 * DEPLOY_SECONDS);
    expect(BATCHES_AT_ONCE * (BATCH_SIZE + 1)).toBeLessThan(100);
  });

  it('the Map states over batches run as many at once as it says, fewer where they read logs', () => {
    for (const file of ['deploy', 'rollback']) {
      const { States } = JSON.parse(readFileSync(stateMachineFile(file), 'utf8')) as { States: object };
      for (const [name, state] of Object.entries(States)) {
        if (state.Type !== 'Map' || !['{% $batches %}', '{% $smoke %}'].includes(state.Items)) continue;
        const readsLogs = JSON.stringify(state).includes('CheckLogs');
        expect(state.MaxConcurrency, name).toBe(readsLogs ? BATCHES_AT_ONCE / 2 : BATCHES_AT_ONCE);
      }
    }
  });

  it('knows how often the deploy machine looks at the alarms', () => {
    const { States } = JSON.parse(readFileSync(stateMachineFile('deploy'), 'utf8'));
    expect(States.ShiftTraffic.ItemProcessor.States.Bake.Seconds).toBe(BAKE_POLL_SECONDS);
  });
});
