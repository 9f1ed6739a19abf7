import {
  GetAliasCommand,
  ListLayerVersionsCommand,
  ListVersionsByFunctionCommand,
  PublishLayerVersionCommand,
} from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { functionsOf } from '../../core/release/stack-resources.ts';
import { get, lambda, release, resourcesOf } from '../support/aws.ts';
import { changed, projectZip } from '../support/project.ts';

const STACK = 'cleaned';
const LAYER = `${STACK}-utils`;
const versions = async () => {
  const { LayerVersions = [] } = await lambda.send(new ListLayerVersionsCommand({ LayerName: LAYER }));
  return LayerVersions.map(({ Version }) => Version).sort();
};
const project = (six: string, more: object = {}) =>
  projectZip({
    'layers/utils/requirements.txt': `six==${six}\n`,
    'plimsoll.yaml': 'keepReleases: 2\n',
    ...more,
  });

describe('layer versions', () => {
  it('that a release needs to which you can roll back stay; older ones of ours go, and nothing of others', async () => {
    const good = async (six: string) => {
      const end = await release(STACK, await project(six));
      expect(end.status, end.message).toBe('SUCCEEDED');
    };
    await good('1.15.0');
    // Somebody else's, under the same name.
    const { Content } = await lambda.send(
      new PublishLayerVersionCommand({
        LayerName: LAYER,
        Description: 'by hand',
        Content: { ZipFile: await project('1.0.0') },
      }),
    );
    expect(Content).toBeDefined();
    await good('1.16.0');
    expect(await versions()).toEqual([1, 2, 3]);
    // A release that fails leaves a version behind; the next good one takes it away, with the first one's.
    const failing = changed(
      'functions/hello/app.py',
      'name = (event',
      'raise KeyError("lost")\n    name = (event',
    );
    const failed = await release(STACK, await project('1.14.0', failing));
    expect(failed.error).toBe('SmokeTestFailedError');
    expect(await versions()).toEqual([1, 2, 3, 4]);
    await good('1.17.0');
    expect(await versions()).toEqual([2, 3, 5]);
    expect(await get(STACK, '/hello')).toMatchObject({ status: 200 });
  });
});

describe('versions of functions', () => {
  it('that are old go, but for the one that the alias leads to', async () => {
    const aliased = 'functions-cleaned';
    for (const answer of [1, 2, 3, 4]) {
      const end = await release(
        aliased,
        await projectZip({
          ...changed('template.yaml', '      Timeout: 10\n', '      AutoPublishAlias: live\n'),
          ...changed('functions/hello/app.py', '"version": 1', `"version": ${answer}`),
          'plimsoll.yaml': 'keepReleases: 2\n',
        }),
      );
      expect(end.status, end.message).toBe('SUCCEEDED');
    }
    const FunctionName = functionsOf(await resourcesOf(aliased)).get('Hello');
    const { Versions = [] } = await lambda.send(new ListVersionsByFunctionCommand({ FunctionName }));
    expect(Versions.map(({ Version }) => Version)).toEqual(['$LATEST', '3', '4']);
    expect(await lambda.send(new GetAliasCommand({ FunctionName, Name: 'live' }))).toMatchObject({
      FunctionVersion: '4',
    });
    expect(await get(aliased, '/hello')).toMatchObject({ body: { version: 4 } });
  });
});
