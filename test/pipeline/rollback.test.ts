import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { get, lockOwner, markStuck, pipeline, records, resourcesOf, stateOf } from '../support/aws.ts';
import { plimsoll } from '../support/command.ts';
import { BASE, changed, writeProject } from '../support/project.ts';

const STACK = 'goes-back';
let project: string;
beforeAll(async () => {
  project = await writeProject({ ...BASE, 'plimsoll.yaml': `stackName: ${STACK}\n` });
});
afterAll(() => rm(project, { recursive: true, force: true }));

const command = (name: string, ...args: string[]) => plimsoll(name, '--project', project, '--json', ...args);
const version = async () => (await get(STACK, '/hello')).body as { version: number; text: string };

describe('plimsoll rollback', () => {
  it('says so where there is nothing to roll back to', async () => {
    const { code, stderr } = await command('rollback');
    expect(code).toBe(2);
    expect(stderr).toContain('nothing was released yet');
  });

  it('deploys the release before again, with its parameters and all its proofs; or the one that is named', async () => {
    expect((await command('deploy', '--parameter', 'Greeting=good day')).code).toBe(0);
    const next =
      changed('functions/hello/app.py', '"version": 1', '"version": 2')['functions/hello/app.py'] ?? '';
    await writeFile(join(project, 'functions', 'hello', 'app.py'), next);
    expect((await command('deploy', '--parameter', 'Greeting=hi')).code).toBe(0);
    expect(await version()).toMatchObject({ version: 2, text: 'hi you' });

    const back = await command('rollback');
    expect(back.code, back.stderr).toBe(0);
    expect(JSON.parse(back.stdout)).toMatchObject({ status: 'SUCCEEDED', smoke: expect.any(Array) });
    expect(await version()).toMatchObject({ version: 1, text: 'good day you' });

    const second = (await records(STACK))[1]?.['sk']?.replace('release#', '') ?? '';
    const forth = await command('rollback', '--to', second);
    expect(forth.code, forth.stderr).toBe(0);
    expect(await version()).toMatchObject({ version: 2, text: 'hi you' });

    const unknown = await command('rollback', '--to', 'nope');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain(`--to: "nope" is no release of this stack; released: `);
    expect(unknown.stderr).toContain(second);
  });

  it('goes back over a resource with data where it is allowed by name, and again after it was refused', async () => {
    const template = BASE['template.yaml'] ?? '';
    const table = `  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
`;
    await writeFile(join(project, 'template.yaml'), template + table);
    expect((await command('deploy')).code).toBe(0);
    const before = await stateOf(STACK);

    for (const _twice of [1, 2]) {
      const refused = await command('rollback');
      expect(refused.code).toBe(1);
      expect(JSON.parse(refused.stdout)).toMatchObject({
        error: 'StatefulChangeError',
        message: expect.stringContaining('delete Orders (AWS::DynamoDB::Table)'),
      });
      expect(await stateOf(STACK)).toEqual(before);
    }
    const wrong = await command('rollback', '--allow-data-loss', 'Orders;');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('write a logical id of template.yaml');
    const back = await command('rollback', '--allow-data-loss', 'Orders');
    expect(back.code, back.stdout).toBe(0);
    expect((await resourcesOf(STACK)).map(({ logicalId }) => logicalId)).not.toContain('Orders');

    await writeFile(join(project, 'template.yaml'), template + table);
    expect((await command('deploy')).code).toBe(0);
    await writeFile(join(project, 'template.yaml'), template);
    expect((await command('deploy')).code).toBe(1);
    expect((await command('deploy', '--allow-data-loss', 'Orders')).code).toBe(0);
  });

  it('ends what a stopped release has left, where the rule has not', async () => {
    const release = {
      id: '20260101t000000000z-00000000',
      stackName: STACK,
      source: { bucket: 'buc', key: 'k' },
      parameters: {},
      rollback: true,
      startedAt: '2026-01-01T00:00:00.000Z',
    };
    const lock = {
      owner: `${pipeline.DeployMachine.replace(':stateMachine:', ':execution:')}:gone`,
      releaseId: release.id,
      release: JSON.stringify(release),
      claim: 'other',
    };
    await markStuck(STACK, lock);
    const ended = await command('rollback');
    expect(ended.code, ended.stderr).toBe(0);
    expect(await lockOwner(STACK)).toBeUndefined();
    expect(await version()).toMatchObject({ version: 2 });
    expect((await records(STACK))[0]).toMatchObject({ outcome: 'ROLLED_BACK', error: 'ReleaseStopped' });

    await markStuck(STACK, { ...lock, stuck: 'resource Table could not be deleted' });
    const refused = await command('deploy');
    expect(refused.code).not.toBe(0);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: 'StackLockedError',
      message: expect.stringContaining('resource Table could not be deleted. Repair the stack'),
    });
    const repaired = await command('deploy', '--unlock');
    expect(repaired.code, repaired.stdout).toBe(0);
    expect(await lockOwner(STACK)).toBeUndefined();
  });
});
