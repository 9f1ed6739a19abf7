import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import { plimsollWith } from '../support/command.ts';

const EXAMPLE = join(ROOT, 'examples', 'item-prediction');

describe('plimsoll doctor', () => {
  let home = '';
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'plimsoll-test-home-'));
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  /** On a machine where nobody has signed in to AWS. */
  const doctor = (...args: string[]) =>
    plimsollWith(
      {
        HOME: home,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_PROFILE: undefined,
        AWS_REGION: undefined,
        AWS_DEFAULT_REGION: undefined,
      },
      'doctor',
      ...args,
    );

  it('finds nothing wrong with a machine and a project that are well, and ends with 0', async () => {
    const { code, stdout, stderr } = await doctor('--project', EXAMPLE);
    expect(stderr).toBe('');
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/Node +ok/);
    expect(stdout).toMatch(/uv +ok +\d/);
    expect(stdout).toMatch(/Python 3\.11 +ok +\//);
    expect(stdout).toMatch(/Template +ok +template\.yaml: 3 functions/);
  });

  it('says in a sentence that there are no credentials or no region, and ends with 1', async () => {
    const none = await doctor('--project', EXAMPLE, '--account', '--json', '--region', 'eu-west-1');
    expect(none.stderr).toBe('');
    expect(none.code).toBe(1);
    expect(JSON.parse(none.stdout).account).toEqual([
      {
        what: 'Credentials',
        verdict: 'failed',
        found: 'AWS finds none on this machine',
        remedy: expect.stringContaining('aws sso login'),
      },
    ]);
    const region = await doctor('--project', EXAMPLE, '--account', '--json');
    expect(JSON.parse(region.stdout).account).toEqual([
      expect.objectContaining({ what: 'Region', verdict: 'failed', found: 'none is set' }),
    ]);
  });

  it('ends with 2 for a project that cannot be read', async () => {
    const broken = await doctor('--project', join(ROOT, 'docs'));
    expect(broken.code).toBe(2);
    expect(broken.stdout).toContain('no template.yaml, template.yml or template.json here');
    const nowhere = await doctor('--project', join(ROOT, 'nowhere'));
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toContain('name the folder of a SAM project');
  });
});
