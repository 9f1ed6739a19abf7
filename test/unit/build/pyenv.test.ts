import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPython, requirePythons } from '../../../core/build/uv.ts';
import { HERE, imageLayout } from '../../support/pyenv.ts';

let folder: string;
let before: NodeJS.ProcessEnv;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-pyenv-'));
  before = process.env;
});
afterEach(() => {
  process.env = before;
  rmSync(folder, { recursive: true, force: true });
});

describe("Python in the layout of CodeBuild's images", () => {
  it.each(['3.9.25', '3.14.3'])(
    'is found by its path below versions/ where %s is global, and uv belongs to that one',
    async (global) => {
      const { environment, bin } = imageLayout(folder, global);
      process.env = environment;
      expect(dirname(await findPython(HERE, folder))).toBe(bin);
    },
  );

  it('is found though the PATH has interpreters behind the shims', async () => {
    const { environment, bin } = imageLayout(folder, '3.9.25');
    process.env = { ...environment, PATH: [environment['PATH'], before['PATH']].join(delimiter) };
    expect(dirname(await findPython(HERE, folder))).toBe(bin);
  });

  it('is asked for before a build begins, each missing version with those that need it', async () => {
    process.env = imageLayout(folder, '3.9.25').environment;
    const users = [
      { logicalId: 'Here', python: HERE },
      { logicalId: 'Old', python: '3.8' },
      { logicalId: 'Older', python: '3.8' },
      { logicalId: 'Next', python: '3.15' },
    ];
    await expect(requirePythons(users, folder)).rejects.toThrow(
      'this machine has no Python 3.8 (Old, Older), no Python 3.15 (Next), and uv could not fetch it\n  Install it: uv python install 3.8 3.15',
    );
    await requirePythons(users.slice(0, 1), folder);
  });

  it('is said to be missing where the image has none of the version', async () => {
    process.env = imageLayout(folder, '3.9.25').environment;
    await expect(findPython('3.8', folder)).rejects.toThrow(/^no Python 3\.8 on this machine/);
  });
});
