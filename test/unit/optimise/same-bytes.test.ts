import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { BASE, changed, writeProject } from '../../support/project.ts';

let root = '';
afterEach(() => rm(root, { recursive: true, force: true }));

describe('an artifact', () => {
  it.each([
    ['lazy: true', false],
    ['keepSources: true', true],
    ['mode: rules', false],
  ])(
    'has the same bytes whether it is zipped where it was proven or built from the decisions elsewhere: %s',
    async (option, hasSources) => {
      root = await writeProject({
        ...BASE,
        ...changed(
          'functions/hello/app.py',
          'import six',
          'import dateutil.parser\nimport numpy\nimport six',
        ),
        'layers/utils/requirements.txt': 'six==1.16.0\nnumpy==1.24.3\npython-dateutil==2.8.2\n',
        'functions/hello/requirements.txt': 'attrs==23.1.0\n',
        'plimsoll.yaml': `optimise: { ${option} }\n`,
      });
      const folder = join(root, '.plimsoll');
      const decided = await decidedPlan(root, await planProject(await loadProject(root)), folder, () => {});
      const build = async (units: typeof decided.units) => {
        const workspace = new Workspace(
          root,
          decided.plan,
          folder,
          { step: () => {}, done: () => {} },
          units,
        );
        await workspace.layers();
        await workspace.functions();
        return Object.fromEntries(
          [...workspace.artifacts].map(([name, { manifest }]) => [
            name,
            [manifest.zip.sha256, manifest.files],
          ]),
        );
      };
      expect(decided.units.map(({ name }) => name)).toEqual(['utils', 'Hello']);
      const deferred = Object.keys(decided.plan.layers[0]?.decisions?.lazy ?? {});
      expect(deferred.length > 0).toBe(option === 'lazy: true');
      expect(decided.plan.layers[0]?.decisions?.compact.length).toBeGreaterThan(0);
      const proven = await build(decided.units);
      const paths = ((proven['utils']?.[1] ?? []) as [string, number][]).map(([path]) => path);
      expect(paths.includes('python/numpy/version.py')).toBe(hasSources);
      expect(paths.some((path) => /numpy\/(__pycache__\/)?version\.(cpython-311\.)?pyc$/.test(path))).toBe(
        true,
      );
      await rm(join(folder, 'layers'), { recursive: true });
      await rm(join(folder, 'functions'), { recursive: true });
      expect(await build([])).toEqual(proven);
    },
  );
});
