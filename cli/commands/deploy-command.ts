import { Command, Option } from 'commander';
import { PipelineClient } from '../pipeline-client.ts';
import { type DeployOptions, deploy, prepare } from './deploy.ts';
import { allowDataLoss, port, withProjectOptions } from './options.ts';

interface Options extends DeployOptions {
  local: boolean;
  keep: boolean;
  region?: string;
  port?: number;
  state?: string;
}

async function run(options: Options): Promise<number> {
  if (options.local) {
    // Loaded on demand: the builds of the pipeline have this command line, too, and nothing of local/.
    const { deployLocally } = await import('./deploy-locally.ts');
    return deployLocally(options);
  }
  const region = options.region ?? (await prepare(options, 'reject')).region;
  if (region !== undefined) process.env['AWS_REGION'] = region;
  return deploy(options, {
    client: await PipelineClient.find(options.pipeline),
    reachable: (url) => url,
    unbuilt: 'reject',
  });
}

export function deployCommand(): Command {
  return withProjectOptions(new Command('deploy'))
    .description('hand the project to the pipeline and follow it live')
    .option(
      '--stack-name <name>',
      "stack to deploy (default: stackName of plimsoll.yaml, else stack_name of samconfig.toml, else the folder's name)",
    )
    .option(
      '--region <region>',
      'region of the pipeline (default: region of samconfig, else the one of the AWS configuration)',
    )
    .option('--environment <name>', "value of the template's parameter Environment")
    .option('--bedrock-model <id>', "value of the template's parameter BedrockModelId")
    .option('--enable-rollback', 'roll back to the running release if any step fails (the default)')
    .option('--no-rollback', 'leave a failed release as it is, for a look at it')
    .addOption(allowDataLoss())
    .addOption(
      new Option('--when-locked <what>', 'while another release of the stack runs')
        .choices(['refuse', 'wait'])
        .default('refuse'),
    )
    .option(
      '--unlock',
      'the last rollback failed: start all the same, after you have repaired the stack',
      false,
    )
    .option('--pipeline <stack>', 'name of the stack of the pipeline', 'Plimsoll')
    .option('--local', 'run the whole pipeline on this machine, on an embedded AWS', false)
    .option('--keep', 'with --local: leave the embedded AWS running until Ctrl-C', false)
    .option('--port <port>', 'with --local: port of the embedded AWS (default: a free one)', port)
    .option('--state <folder>', 'with --local: folder of its state (default: .plimsoll/aws of the checkout)')
    .option('--json', 'print one JSON document at the end, and nothing else', false)
    .action(async (options: Options) => {
      process.exitCode = await run(options);
    });
}
