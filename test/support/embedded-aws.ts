import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { PipelineOutputs } from '../../core/release/pipeline-outputs.ts';
import { EmbeddedAws, FAULTS_FILE } from '../../local/embedded-aws.ts';
import { STATE } from '../../local/paths.ts';
import { deployPipeline } from '../../local/pipeline.ts';

declare module 'vitest' {
  interface ProvidedContext {
    endpoint: string;
    environment: Record<string, string>;
    pipeline: PipelineOutputs;
    /** The embedded AWS's own log. */
    log: string;
    /** Where a test says what AWS answers with an error. */
    faults: string;
  }
}

// Node 20 is the floor of this project; what the SDK says of it is no news in a test's output.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** One fresh embedded AWS, with the pipeline in it and IAM enforced, for all tests that need one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = join(STATE, `test-${project.name}`);
  rmSync(folder, { recursive: true, force: true });
  // Neither builds nor functions may see what this machine keeps in its environment.
  process.env['PLIMSOLL_TEST_SECRET'] = 'secret';
  const aws = await EmbeddedAws.start({ folder });
  try {
    project.provide('endpoint', aws.endpoint);
    project.provide('environment', aws.environment);
    project.provide('pipeline', await deployPipeline(aws, folder));
    project.provide('log', join(folder, 'log.txt'));
    project.provide('faults', join(folder, FAULTS_FILE));
  } catch (error) {
    await aws.stop();
    throw error;
  }
  return () => aws.stop();
}
