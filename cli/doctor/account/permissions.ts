import { GetRoleCommand, type IAMClient, paginateSimulatePrincipalPolicy } from '@aws-sdk/client-iam';
import type { Check, Finding } from '../check.ts';
import type { Caller } from './caller.ts';

/** What the command line itself calls: to install the pipeline (by the roles of "cdk bootstrap"), and to release. */
const NEEDED = {
  install: ['sts:AssumeRole', 'cloudformation:DescribeStacks', 'ssm:GetParameter'],
  release: [
    'cloudformation:DescribeStacks',
    's3:PutObject',
    's3:GetObject',
    'states:StartExecution',
    'states:DescribeExecution',
    'states:GetExecutionHistory',
    'dynamodb:GetItem',
    'dynamodb:Query',
  ],
};

export interface Decision {
  action: string;
  isAllowed: boolean;
}

export function judgePermissions(decisions: readonly Decision[]): Finding[] {
  return (['install', 'release'] as const).map((purpose) => {
    const what = `Permissions to ${purpose}`;
    const denied = NEEDED[purpose].filter((action) =>
      decisions.some((one) => one.action === action && !one.isAllowed),
    );
    if (denied.length === 0)
      return { what, verdict: 'ok', found: `${NEEDED[purpose].length} actions allowed` };
    return {
      what,
      // The simulation asks for any resource: a policy that names the pipeline's own is not wrong.
      verdict: 'warning',
      found: `not on every resource: ${denied.join(', ')}`,
      remedy: `Let ${purpose === 'install' ? 'your identity assume the roles cdk-*' : "your identity do this on the pipeline's own resources"}.`,
    };
  });
}

/**
 * Whose policies to simulate: STS tells a session's ARN, IAM wants the ARN of its role, with the role's path.
 * @returns undefined for the root user, who has no policies
 */
export function principalOf(arn: string): { user: string } | { role: string } | undefined {
  const [, resource = ''] = /^arn:[^:]+:(?:iam|sts)::\d+:(.+)$/.exec(arn) ?? [];
  if (resource.startsWith('user/')) return { user: arn };
  const [, role] = /^assumed-role\/([^/]+)\//.exec(resource) ?? [];
  return role === undefined ? undefined : { role };
}

async function sourceArn(iam: IAMClient, arn: string): Promise<string | undefined> {
  const principal = principalOf(arn);
  if (!principal) return undefined;
  if ('user' in principal) return principal.user;
  return (await iam.send(new GetRoleCommand({ RoleName: principal.role }))).Role?.Arn;
}

export const permissionsCheck = (iam: IAMClient, { arn }: Caller): Check => ({
  what: 'Permissions',
  look: async () => {
    const PolicySourceArn = await sourceArn(iam, arn);
    if (PolicySourceArn === undefined)
      return [
        {
          what: 'Permissions',
          verdict: 'warning',
          found: 'the root user may do everything',
          remedy: 'Use a role or a user for daily work (IAM: "Security best practices").',
        },
      ];
    const ActionNames = [...new Set([...NEEDED.install, ...NEEDED.release])];
    const decisions: Decision[] = [];
    const pages = paginateSimulatePrincipalPolicy({ client: iam }, { PolicySourceArn, ActionNames });
    for await (const { EvaluationResults = [] } of pages)
      for (const { EvalActionName: action = '', EvalDecision } of EvaluationResults)
        decisions.push({ action, isAllowed: EvalDecision === 'allowed' });
    return judgePermissions(decisions);
  },
});
