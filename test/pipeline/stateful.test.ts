import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { release, resourcesOf, stateOf } from '../support/aws.ts';
import { BASE, projectZip } from '../support/project.ts';

const STACK = 'stateful';
const table = (properties: string, policies = '') => ({
  'template.yaml': `${BASE['template.yaml']}  Orders:
    Type: AWS::DynamoDB::Table
${policies}    Properties:
      BillingMode: PAY_PER_REQUEST
      ${properties}
`,
});
const keyed = (name: string) =>
  `AttributeDefinitions: [{ AttributeName: ${name}, AttributeType: S }]\n      KeySchema: [{ AttributeName: ${name}, KeyType: HASH }]`;

const dynamodb = new DynamoDBClient();
const tableName = async () =>
  (await resourcesOf(STACK)).find(({ logicalId }) => logicalId === 'Orders')?.physicalId ?? '';
const order = async () =>
  (await dynamodb.send(new GetItemCommand({ TableName: await tableName(), Key: { id: { S: '1' } } }))).Item;

describe('a resource that holds data', () => {
  it('is neither replaced nor deleted, unless the input allows it by name', async () => {
    const first = await release(STACK, await projectZip(table(keyed('id'))));
    expect(first.status, first.message).toBe('SUCCEEDED');
    await dynamodb.send(new PutItemCommand({ TableName: await tableName(), Item: { id: { S: '1' } } }));

    // Another index replaces nothing, and needs no leave.
    const indexed = `AttributeDefinitions:
        - { AttributeName: id, AttributeType: S }
        - { AttributeName: day, AttributeType: S }
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - IndexName: day
          KeySchema: [{ AttributeName: day, KeyType: HASH }]
          Projection: { ProjectionType: ALL }`;
    const index = await release(STACK, await projectZip(table(indexed)));
    expect(index.status, index.message).toBe('SUCCEEDED');
    expect(await order()).toEqual({ id: { S: '1' } });
    const before = await stateOf(STACK);

    const replaced = await release(STACK, await projectZip(table(keyed('key'))));
    expect(replaced.error).toBe('StatefulChangeError');
    expect(replaced.message).toMatch(/the release would (perhaps )?replace Orders \(AWS::DynamoDB::Table\)/);
    expect(await stateOf(STACK)).toEqual(before);

    const removed = await release(STACK, await projectZip());
    expect(removed.error).toBe('StatefulChangeError');
    expect(removed.message).toContain('delete Orders (AWS::DynamoDB::Table)');
    expect(await stateOf(STACK)).toEqual(before);
    expect(await order()).toEqual({ id: { S: '1' } });

    const allowed = await release(STACK, await projectZip(), { allowDataLoss: ['Orders'] });
    expect(allowed.status, allowed.message).toBe('SUCCEEDED');
    expect(await tableName()).toBe('');
  });

  it('of another type is guarded where the project says so', async () => {
    const topic = `${BASE['template.yaml']}  News: { Type: AWS::SNS::Topic }\n`;
    const guarded = { 'plimsoll.yaml': 'protect: [AWS::SNS::Topic]\n' };
    const first = await release('guarded', await projectZip({ ...guarded, 'template.yaml': topic }));
    expect(first.status, first.message).toBe('SUCCEEDED');
    const removed = await release('guarded', await projectZip(guarded));
    expect(removed.message).toContain('delete News (AWS::SNS::Topic)');
  });
});
