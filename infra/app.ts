import { App, Aspects } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { PipelineStack, pipelineName } from './pipeline-stack.ts';

const app = new App();
new PipelineStack(app, pipelineName(app));
Aspects.of(app).add(new AwsSolutionsChecks({ verbose: true }));
