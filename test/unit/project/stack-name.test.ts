import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stackNameOf } from '../../../cli/commands/deploy.ts';
import { nameOfFolder, readSamStackName } from '../../../core/project/stack-name.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'My shop_'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
const config = (text: string) => writeFile(join(root, 'samconfig.toml'), text);

describe('the name of the stack', () => {
  it.each([
    ['/home/ada/my_shop 2', 'my-shop-2'],
    ['/srv/2024-orders-', 'orders'],
    [`/${'a'.repeat(200)}`, 'a'.repeat(128)],
  ])('of the folder %s is %s', (folder, name) => expect(nameOfFolder(folder)).toBe(name));

  it('is the option, then that of plimsoll.yaml, then that of samconfig.toml, then that of the folder', async () => {
    expect(await stackNameOf(undefined, undefined, root)).toMatch(/^My-shop-\w+$/);
    await config('version = 0.1\n[default.global.parameters]\nstack_name = "all"\n');
    expect(await stackNameOf(undefined, undefined, root)).toBe('all');
    await config(
      '[default.global.parameters]\nstack_name = "all"\n[default.deploy.parameters]\nstack_name = "sam"\n',
    );
    expect(await stackNameOf(undefined, undefined, root)).toBe('sam');
    expect(await stackNameOf(undefined, 'ours', root)).toBe('ours');
    expect(await stackNameOf('given', 'ours', root)).toBe('given');
  });

  it('that is none is rejected with the next step', async () => {
    await expect(stackNameOf('../x', undefined, root)).rejects.toThrow(
      /--stack-name: "\.\.\/x" is not a stack name/,
    );
    await expect(stackNameOf(undefined, undefined, '/')).rejects.toThrow(/Give --stack-name NAME/);
    await config('[default.deploy\n');
    await expect(readSamStackName(root)).rejects.toThrow(/samconfig\.toml: line 1: is not TOML/);
  });
});
