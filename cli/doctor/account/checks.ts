import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { IAMClient } from '@aws-sdk/client-iam';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import { VERSION } from '../../../core/version.ts';
import { type Finding, findings } from '../check.ts';
import { bootstrapCheck } from './bootstrap.ts';
import { readCaller } from './caller.ts';
import { permissionsCheck } from './permissions.ts';
import { pipelineCheck } from './pipeline.ts';
import { alarmsCheck, buildsCheck, lambdaCheck, stacksCheck } from './quotas.ts';
import { servicesCheck } from './region.ts';

/** All that is said of the account at hand; without credentials or a region, only that. */
export async function accountFindings(pipeline: string): Promise<Finding[]> {
  // Doctor answers soon: what does not answer is a finding of its own.
  const options = { maxAttempts: 3 };
  const { caller, findings: who } = await readCaller(new STSClient(options));
  if (!caller) return who;
  const cloudformation = new CloudFormationClient(options);
  const ssm = new SSMClient(options);
  const quotas = new ServiceQuotasClient(options);
  return [
    ...who,
    ...(await findings([
      permissionsCheck(new IAMClient(options), caller),
      servicesCheck(ssm, caller),
      bootstrapCheck(ssm, caller),
      pipelineCheck(cloudformation, pipeline, VERSION),
      lambdaCheck(new LambdaClient(options)),
      buildsCheck(quotas),
      stacksCheck(cloudformation),
      alarmsCheck(quotas),
    ])),
  ];
}
