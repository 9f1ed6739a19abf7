import { type CloudFormationClient, DescribeStacksCommand, type Stack } from '@aws-sdk/client-cloudformation';
import { pipelineOutputsSchema } from '../../../core/release/pipeline-outputs.ts';
import type { Check, Finding } from '../check.ts';

const outputsOf = ({ Outputs = [] }: Stack): Record<string, string> =>
  Object.fromEntries(Outputs.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]));

/** @param stack undefined where there is none of this name @param version of this command line */
export function judgePipeline(name: string, stack: Stack | undefined, version: string): Finding {
  const what = `Pipeline ${name}`;
  const deploy = `npx cdk deploy${name === 'Plimsoll' ? '' : ` -c pipeline=${name}`}`;
  if (!stack)
    return {
      what,
      verdict: 'warning',
      found: 'not installed',
      remedy: `Try it first: plimsoll acceptance. Then install it: ${deploy}`,
    };
  const status = stack.StackStatus ?? '';
  const outputs = outputsOf(stack);
  if (!pipelineOutputsSchema.safeParse(outputs).success)
    return {
      what,
      verdict: 'failed',
      found: `the stack ${name} (${status}) is no pipeline, or one of an older version`,
      remedy: `Update it: ${deploy}; or name the pipeline's stack: --pipeline NAME`,
    };
  if (!/^(CREATE|UPDATE|IMPORT)_COMPLETE$/.test(status))
    return {
      what,
      verdict: 'failed',
      found: `its stack is in ${status}`,
      remedy: `Look at the stack's events in the CloudFormation console, then run: ${deploy}`,
    };
  const installed = outputs['Version'];
  return installed === version
    ? { what, verdict: 'ok', found: `version ${installed}` }
    : {
        what,
        verdict: 'warning',
        found: `version ${installed ?? 'unknown'}, this command line is ${version}`,
        remedy: `Update it: ${deploy}`,
      };
}

export const pipelineCheck = (
  cloudformation: CloudFormationClient,
  name: string,
  version: string,
): Check => ({
  what: `Pipeline ${name}`,
  look: async () => {
    try {
      const { Stacks = [] } = await cloudformation.send(new DescribeStacksCommand({ StackName: name }));
      return [judgePipeline(name, Stacks[0], version)];
    } catch (error) {
      // CloudFormation has no error of its own for this.
      if (error instanceof Error && error.name === 'ValidationError' && /does not exist/.test(error.message))
        return [judgePipeline(name, undefined, version)];
      throw error;
    }
  },
});
