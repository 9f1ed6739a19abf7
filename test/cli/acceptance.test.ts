import { describe, expect, it } from 'vitest';
import { plimsollWith } from '../support/command.ts';

/** Where nobody has signed in to AWS, and there is no terminal. */
const acceptance = (...args: string[]) =>
  plimsollWith(
    {
      HOME: '/nonexistent',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_PROFILE: undefined,
      AWS_REGION: 'eu-west-1',
    },
    'acceptance',
    ...args,
  );

describe('plimsoll acceptance', () => {
  it.each([
    [[], 'pass --yes'],
    [['--json'], 'pass --yes'],
    [['--remove', 'Plimsoll'], '"Plimsoll" is not a name of an acceptance'],
    [['--remove', 'PlimsollAccept1a2b3c', '--local'], 'leave out --local'],
    [['--yes'], 'aws sso login'],
    [['--remove', 'PlimsollAccept1a2b3c'], 'aws sso login'],
  ])('with %j ends with 2 before anything is made, and says: %s', async (args, says) => {
    const { code, stdout, stderr } = await acceptance(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toBe('');
  });
});
