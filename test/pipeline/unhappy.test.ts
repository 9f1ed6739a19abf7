import {
  CreateChangeSetCommand,
  CreateStackCommand,
  DeleteStackCommand,
  OnFailure,
} from '@aws-sdk/client-cloudformation';
import { describe, expect, it } from 'vitest';
import { cloudformation, describeStack, get, lockOwner, release, until } from '../support/aws.ts';
import { projectZip } from '../support/project.ts';

const waiting = (timeout: number) =>
  JSON.stringify({
    Resources: {
      Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' },
      Wait: {
        Type: 'AWS::CloudFormation::WaitCondition',
        Properties: { Handle: { Ref: 'Handle' }, Timeout: String(timeout), Count: 1 },
      },
    },
  });

const status = (name: string, wanted: string) =>
  until(`${name} to be ${wanted}`, async () =>
    (await describeStack(name))?.StackStatus === wanted ? true : undefined,
  );

async function create(name: string, onFailure: OnFailure, timeout = 1): Promise<void> {
  await cloudformation.send(
    new CreateStackCommand({ StackName: name, TemplateBody: waiting(timeout), OnFailure: onFailure }),
  );
}

describe('a stack in an unhappy state', () => {
  it.each([
    ['ROLLBACK_COMPLETE', OnFailure.ROLLBACK],
    ['CREATE_FAILED', OnFailure.DO_NOTHING],
  ])(
    '%s is refused before anything starts, with the way out; repaired, it is released',
    async (wanted, how) => {
      const name = `unhappy-${wanted.toLowerCase().replace('_', '-')}`;
      await create(name, how);
      await status(name, wanted);
      const refused = await release(name, await projectZip());
      expect(refused.error).toBe('PrerequisiteError');
      expect(refused.message).toContain(
        `stack ${name} is ${wanted} and takes no update; repair or delete it`,
      );
      expect((await describeStack(name))?.StackStatus).toBe(wanted);
      expect(await lockOwner(name)).toBeUndefined();
      await cloudformation.send(new DeleteStackCommand({ StackName: name }));
      await until(`${name} to be gone`, async () => ((await describeStack(name)) ? undefined : true));
      const end = await release(name, await projectZip());
      expect(end.status, end.message).toBe('SUCCEEDED');
    },
  );

  it('CREATE_IN_PROGRESS, of somebody else, is left alone', async () => {
    await create('unhappy-busy', OnFailure.ROLLBACK, 20);
    const refused = await release('unhappy-busy', await projectZip());
    expect(refused.error).toBe('PrerequisiteError');
    expect(refused.message).toContain('stack unhappy-busy is CREATE_IN_PROGRESS; wait until it is done');
    expect(await lockOwner('unhappy-busy')).toBeUndefined();
  });

  it('REVIEW_IN_PROGRESS, which somebody has looked at and left, is deployed', async () => {
    await cloudformation.send(
      new CreateChangeSetCommand({
        StackName: 'unhappy-review',
        ChangeSetName: 'left',
        ChangeSetType: 'CREATE',
        TemplateBody: waiting(1),
      }),
    );
    await status('unhappy-review', 'REVIEW_IN_PROGRESS');
    const end = await release('unhappy-review', await projectZip());
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await get('unhappy-review', '/hello')).toMatchObject({ status: 200 });
  });
});
