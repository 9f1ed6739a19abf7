import { GetParameterCommand, ParameterNotFound, type SSMClient } from '@aws-sdk/client-ssm';
import type { Check, Finding } from '../check.ts';
import type { Caller } from './caller.ts';

/** Where "cdk bootstrap" writes its version (CDK developer guide, "Bootstrapping": default qualifier). */
const PARAMETER = '/cdk-bootstrap/hnb659fds/version';
/** MIN_BOOTSTRAP_STACK_VERSION of CDK's DefaultStackSynthesizer. */
export const MIN_BOOTSTRAP = 6;

/** @param version undefined where the region is not bootstrapped */
export function judgeBootstrap(
  version: number | undefined,
  { account, region }: Pick<Caller, 'account' | 'region'>,
): Finding {
  const what = 'CDK bootstrap';
  const remedy = `Run: npx cdk bootstrap aws://${account}/${region}`;
  if (version === undefined)
    return { what, verdict: 'failed', found: `${region} is not bootstrapped`, remedy };
  return version >= MIN_BOOTSTRAP
    ? { what, verdict: 'ok', found: `version ${version}` }
    : { what, verdict: 'failed', found: `version ${version}, needs ${MIN_BOOTSTRAP}`, remedy };
}

export const bootstrapCheck = (ssm: SSMClient, caller: Caller): Check => ({
  what: 'CDK bootstrap',
  look: async () => {
    try {
      const { Parameter } = await ssm.send(new GetParameterCommand({ Name: PARAMETER }));
      return [judgeBootstrap(Number(Parameter?.Value), caller)];
    } catch (error) {
      if (error instanceof ParameterNotFound) return [judgeBootstrap(undefined, caller)];
      throw error;
    }
  },
});
