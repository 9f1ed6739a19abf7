import { GetExecutionHistoryCommand } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import { stateRuns } from '../../core/release/progress.ts';
import { ended, sfn } from '../support/aws.ts';
import { createMachine, execute } from '../support/machines.ts';

describe('a state machine', () => {
  it('answers with the Output of its Succeed state', async () => {
    const states = { Done: { Type: 'Succeed', Output: { twice: '{% $states.input.n * 2 %}' } } };
    const done = await ended(await execute(await createMachine('succeeds', 'Done', states), { n: 21 }));
    expect(done.output).toEqual({ twice: 42 });
  });

  it('records the states inside a Map in its history, each with input and output', async () => {
    const inner = {
      StartAt: 'Each',
      States: { Each: { Type: 'Pass', Output: { name: '{% $states.input.name %}', ok: true }, End: true } },
    };
    const states = {
      All: {
        Type: 'Map',
        Items: '{% $states.input.items %}',
        ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, ...inner },
        End: true,
      },
    };
    const arn = await execute(await createMachine('maps', 'All', states), {
      items: [{ name: 'a' }, { name: 'b' }],
    });
    expect((await ended(arn)).status).toBe('SUCCEEDED');
    const { events = [] } = await sfn.send(
      new GetExecutionHistoryCommand({ executionArn: arn, includeExecutionData: true }),
    );
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
    const runs = stateRuns(
      events.map(
        ({ type = '', timestamp, stateEnteredEventDetails: entered, stateExitedEventDetails: exited }) => ({
          type,
          at: timestamp?.getTime() ?? 0,
          name: entered?.name ?? exited?.name,
          data: entered?.input ?? exited?.output,
        }),
      ),
    );
    expect(runs.map(({ state, item, status }) => [state, item, status]).sort()).toEqual([
      ['All', undefined, 'done'],
      ['Each', 'a', 'done'],
      ['Each', 'b', 'done'],
    ]);
    expect(events.map(({ type = '' }) => type).sort()).toEqual([
      'ExecutionStarted',
      'ExecutionSucceeded',
      'MapIterationStarted',
      'MapIterationStarted',
      'MapIterationSucceeded',
      'MapIterationSucceeded',
      'MapStateEntered',
      'MapStateExited',
      'MapStateStarted',
      'MapStateSucceeded',
      'PassStateEntered',
      'PassStateEntered',
      'PassStateExited',
      'PassStateExited',
    ]);
  });
});

const LIMIT = 262_144;
const caught = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }] };
const mapped = (states: object, rest: object = {}) => ({
  All: {
    Type: 'Map',
    Items: '{% [1..$states.input.n] %}',
    ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, StartAt: 'Each', States: states },
    ...rest,
    ...caught,
    End: true,
  },
  Caught: { Type: 'Pass', End: true },
});

/** An expression of so many bytes of JSON, its quotation marks included. */
const text = (bytes: number) => `{% $pad('x', ${bytes - 2}, 'x') %}`;

describe("Step Functions' limits", () => {
  it.each([
    { what: 'the output of a state', field: { Output: text(LIMIT + 2) } },
    { what: 'a variable', field: { Assign: { much: text(LIMIT + 2) } } },
  ])(
    '$what of more than 256 KiB ends the execution, and States.ALL does not catch it',
    async ({ what, field }) => {
      const states = mapped({ Each: { Type: 'Pass', ...field, End: true } });
      const arn = await execute(await createMachine(`over-${what.replaceAll(' ', '-')}`, 'All', states), {
        n: 1,
      });
      const end = await ended(arn);
      expect([end.status, end.error]).toEqual(['FAILED', 'States.DataLimitExceeded']);
      expect(end.message).toContain(`${LIMIT + 2} bytes`);
    },
  );

  it('takes 256 KiB', async () => {
    const states = { Only: { Type: 'Pass', Output: text(LIMIT), End: true } };
    const end = await ended(await execute(await createMachine('at-the-limit', 'Only', states)));
    expect(end.status).toBe('SUCCEEDED');
  });

  it('an input of more than 256 KiB starts nothing', async () => {
    const machine = await createMachine('over-input', 'Only', { Only: { Type: 'Pass', End: true } });
    await expect(execute(machine, { much: 'é'.repeat(LIMIT / 2) })).rejects.toThrow(
      /length less than or equal to 262144/,
    );
  });

  it('the event after the 25,000th ends the execution, and States.ALL does not catch it', async () => {
    const pass = { Type: 'Pass', Output: {} };
    const chain = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [
        index === 0 ? 'Each' : `S${index}`,
        index === 39 ? { ...pass, End: true } : { ...pass, Next: `S${index + 1}` },
      ]),
    );
    const machine = await createMachine('long', 'All', mapped(chain, { Output: {} }));
    // 82 events an iteration.
    const fits = await ended(await execute(machine, { n: 304 }));
    expect(fits.status).toBe('SUCCEEDED');
    const end = await ended(await execute(machine, { n: 305 }));
    expect([end.status, end.error]).toEqual(['FAILED', 'States.Runtime']);
    expect(end.message).toContain('maximum number of history events (25000)');
  });
});
