import { App, CliCredentialsStackSynthesizer, type IStackSynthesizer } from 'aws-cdk-lib';
import { DEFAULT_STACK_NAME, PipelineStack } from '../infra/pipeline-stack.ts';

// The same stack as on AWS. The roles of "cdk bootstrap" are not there, so the caller's own credentials deploy it.
const bucket = process.env['PLIMSOLL_ASSET_BUCKET'];
if (bucket === undefined) throw new Error('PLIMSOLL_ASSET_BUCKET is not set');
new PipelineStack(new App(), DEFAULT_STACK_NAME, {
  // CDK's own types do not hold under exactOptionalPropertyTypes.
  synthesizer: new CliCredentialsStackSynthesizer({ fileAssetsBucketName: bucket }) as IStackSynthesizer,
});
