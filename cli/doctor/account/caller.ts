import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { messageOf } from '../../../core/errors.ts';
import type { Finding } from '../check.ts';

/** Who calls, in which account and region. */
export interface Caller {
  account: string;
  /** ARN of a user, a role's session or the account itself, as STS tells it. */
  arn: string;
  region: string;
}

const REMEDY = {
  region: 'Pass --region REGION, set AWS_REGION, or run: aws configure set region REGION',
  none: 'Run aws configure, or aws sso login, or set AWS_PROFILE to a profile that has credentials.',
  expired: 'Sign in again: aws sso login, or get new temporary credentials.',
};

/** What to say of credentials or a region that do not work. @param error of the SDK */
export function judgeRefusal(error: unknown): Finding {
  const name = error instanceof Error ? error.name : '';
  const text = messageOf(error).split('\n')[0] ?? '';
  const failed = (what: string, found: string, remedy: string): Finding => ({
    what,
    verdict: 'failed',
    found,
    remedy,
  });
  if (/region is missing/i.test(text)) return failed('Region', 'none is set', REMEDY.region);
  if (/Expired/.test(name) || /expired/i.test(text)) return failed('Credentials', text, REMEDY.expired);
  if (/CredentialsProviderError|TokenProviderError/.test(name))
    return failed('Credentials', 'AWS finds none on this machine', REMEDY.none);
  if (/InvalidClientTokenId|SignatureDoesNotMatch|UnrecognizedClient|AccessDenied/.test(name))
    return failed('Credentials', `AWS does not accept them: ${text}`, REMEDY.none);
  return failed(
    'Credentials',
    `AWS cannot be reached: ${text}`,
    'Check the connection, the proxy settings and the name of the region.',
  );
}

/** Asks AWS who calls. @returns the caller where there is one, and the lines of the table */
export async function readCaller(sts: STSClient): Promise<{ caller?: Caller; findings: Finding[] }> {
  try {
    const region = await sts.config.region();
    const { Account = '', Arn = '' } = await sts.send(new GetCallerIdentityCommand({}));
    return {
      caller: { account: Account, arn: Arn, region },
      findings: [
        { what: 'Credentials', verdict: 'ok', found: Arn },
        { what: 'Account and region', verdict: 'ok', found: `${Account}, ${region}` },
      ],
    };
  } catch (error) {
    return { findings: [judgeRefusal(error)] };
  }
}
