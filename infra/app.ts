import { App, Aspects } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { DEFAULT_STACK_NAME, PipelineStack } from './pipeline-stack.ts';

const app = new App();
new PipelineStack(app, DEFAULT_STACK_NAME);
Aspects.of(app).add(new AwsSolutionsChecks({ verbose: true }));
