import { App, CliCredentialsStackSynthesizer, type IStackSynthesizer } from 'aws-cdk-lib';
import { PipelineStack, pipelineName } from '../infra/pipeline-stack.ts';

// The same stack as on AWS. The roles of "cdk bootstrap" are not there, so the caller's own credentials deploy it.
const bucket = process.env['PLIMSOLL_ASSET_BUCKET'];
if (bucket === undefined) throw new Error('PLIMSOLL_ASSET_BUCKET is not set');
const app = new App();
new PipelineStack(app, pipelineName(app), {
  // CDK's own types do not hold under exactOptionalPropertyTypes.
  synthesizer: new CliCredentialsStackSynthesizer({ fileAssetsBucketName: bucket }) as IStackSynthesizer,
});
