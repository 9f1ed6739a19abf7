import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PublishLayerVersionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeZip } from '../../core/build/zip.ts';
import { buildPlanSchema } from '../../core/release/build-plan.ts';
import { keys, type Release } from '../../core/release/release.ts';
import { get, lambda, readArtifact, release } from '../support/aws.ts';
import { BASE, changed, projectZip, writeProject } from '../support/project.ts';

const STACK = 'layers-of-others';

let arn = '';
let folder = '';

/** As another team does it: with no word to the pipeline. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-test-'));
  const tree = await writeProject({ 'python/theirs.py': 'NAME = "theirs"\n' });
  await writeZip(tree, ['python/theirs.py'], join(folder, 'layer.zip'));
  await rm(tree, { recursive: true });
  const { LayerVersionArn = '' } = await lambda.send(
    new PublishLayerVersionCommand({
      LayerName: STACK,
      Content: { ZipFile: await readFile(join(folder, 'layer.zip')) },
      CompatibleRuntimes: ['python3.11'],
    }),
  );
  arn = LayerVersionArn;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const usingTheirs = (layer: string, files: Readonly<Record<string, string>> = {}) =>
  projectZip({
    ...changed('template.yaml', '[!Ref UtilsLayer]', `[!Ref UtilsLayer, '${layer}']`),
    'functions/hello/app.py': BASE['functions/hello/app.py']
      ?.replace('import six', 'import six\nimport theirs')
      .replace('{six.ensure_str(name)}', '{six.ensure_str(name)} {theirs.NAME}'),
    'plimsoll.yaml': undefined,
    ...files,
  });

it('a layer that others have published is read, stands in the proofs, and serves', async () => {
  const end = await release(STACK, await usingTheirs(arn));
  expect(end.error, end.message).toBe('');
  const made = end.output['release'] as Release;
  const plan = buildPlanSchema.parse(JSON.parse(await readArtifact(keys.plan(made))));
  expect(plan.externals).toMatchObject([{ name: arn, bytes: 16 }]);
  expect(await get(STACK, '/hello?name=test')).toMatchObject({ body: { text: 'hello test theirs' } });
});

it('one that does not work with it is refused before anything changes', async () => {
  const end = await release(
    STACK,
    await usingTheirs(arn, { 'functions/hello/app.py': 'from theirs import gone\ndef handler(e, c): ...\n' }),
  );
  expect(end.error).toBe('ImportCheckError');
  expect(end.message).toContain("cannot import name 'gone' from 'theirs'");
});
