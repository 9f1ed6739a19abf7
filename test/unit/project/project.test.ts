import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { loadProject } from '../../../core/project/project.ts';
import { BASE, changed, type Files, writeProject } from '../../support/project.ts';

async function load(changes: Files = {}) {
  const root = await writeProject({ ...BASE, ...changes });
  try {
    return await loadProject(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

describe('a project', () => {
  it('is read from its folder, smoke events and budgets included', async () => {
    const project = await load({
      'plimsoll.yaml':
        'budgets:\n  layers: { utils: 1.5 MB }\n  total: 300 kB\nsmoke:\n  endpoints: [{ get: /hello }]\n',
    });
    expect(project).toMatchObject({
      templateFile: 'template.yaml',
      target: { python: '3.11', architecture: 'x86_64' },
      layers: [{ name: 'utils', requirements: 'layers/utils/requirements.txt' }],
      functions: [{ logicalId: 'Hello', smoke: [{ name: 'you', event: {}, expect: { statusCode: 200 } }] }],
      config: {
        budgets: { layers: { utils: 1_500_000 }, total: 300_000 },
        smoke: { endpoints: [{ get: '/hello', status: 200 }] },
      },
    });
  });

  it.each<[string, Files, RegExp]>([
    ['no template', { 'template.yaml': undefined }, /no template\.yaml, template\.yml or template\.json/],
    [
      'a layer folder that is missing',
      { 'layers/utils/requirements.txt': undefined },
      /UtilsLayer\.ContentUri: there is no folder layers\/utils/,
    ],
    ['a folder outside', changed('template.yaml', 'layers/utils/', '../../etc/'), /outside the project/],
    ['an absolute folder', changed('template.yaml', 'functions/hello/', '/etc/'), /outside the project/],
    ['a smoke event that is no JSON', { 'functions/hello/smoke/you.json': '{' }, /smoke\/you\.json/],
    [
      'a smoke event with an unknown key',
      { 'functions/hello/smoke/you.json': '{"input": {}}' },
      /smoke\/you\.json.*input/,
    ],
    [
      'a budget that is none',
      { 'plimsoll.yaml': 'budgets: { total: lots }' },
      /plimsoll\.yaml: budgets\.total/,
    ],
    [
      'an endpoint without a slash',
      { 'plimsoll.yaml': 'smoke: { endpoints: [{ get: hello }] }' },
      /smoke\.endpoints\.0\.get.*begin with \//,
    ],
    [
      'traffic that is watched for longer than a release may run',
      { 'plimsoll.yaml': 'traffic: { steps: [10, 50], bake: 3600 }' },
      /traffic\.bake: 2 steps .* are 10800 s; a release may watch its traffic for 7200 s in all/,
    ],
    ['an unknown key', { 'plimsoll.yaml': 'smokes: 1' }, /smokes/],
    ['nothing to build', { 'template.yaml': 'Resources: {}\n' }, /template\.yaml: declares no resource/],
  ])('is refused with %s', async (_what, changes, problem) => {
    await expect(load(changes)).rejects.toThrow(problem);
  });
});
