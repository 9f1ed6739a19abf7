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
  });
});
