import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { ProjectError } from '../../core/errors.ts';
import { pythonsOf } from '../../core/project/target.ts';
import { DEFAULT_PIPELINE } from '../../core/release/pipeline-name.ts';
import { exitCodeOfFindings, type Finding, findings } from '../doctor/check.ts';
import { nodeCheck, pythonCheck, uvCheck } from '../doctor/machine.ts';
import { readForDoctor } from '../doctor/project.ts';
import { findingsTable } from '../show/findings.ts';

interface Options {
  project?: string;
  account: boolean;
  region?: string;
  pipeline: string;
  json: boolean;
}

/** What is said of the project: nothing where none was named and there is none in the current folder. */
async function projectFindings(root: string, wasNamed: boolean) {
  if (wasNamed && !existsSync(root))
    throw new ProjectError(`--project: there is no folder ${root}; name the folder of a SAM project`);
  const isProject = ['template.yaml', 'template.yml', 'template.json', 'plimsoll.yaml'].some((name) =>
    existsSync(join(root, name)),
  );
  if (isProject || wasNamed) return readForDoctor(root);
  const none: Finding = {
    what: 'Project',
    verdict: 'unknown',
    found: `no template.yaml in ${root}; name a project with --project FOLDER`,
  };
  return { findings: [none] };
}

/** @returns the exit code */
async function doctor({ project, account, region, pipeline, json }: Options): Promise<number> {
  const root = resolve(project ?? '.');
  const read = await projectFindings(root, project !== undefined);
  const python = (read.project ? pythonsOf(read.project) : []).map((version) => pythonCheck(version, root));
  const machine = await findings([nodeCheck, uvCheck(root), ...python]);
  if (region !== undefined) process.env['AWS_REGION'] = region;
  // Loaded on demand: these clients are nothing that a build needs.
  const there = account
    ? await import('../doctor/account/checks.ts').then(({ accountFindings }) => accountFindings(pipeline))
    : [];
  const code = exitCodeOfFindings([...machine, ...there], read.findings);
  if (json)
    console.log(JSON.stringify({ machine, project: read.findings, ...(account ? { account: there } : {}) }));
  else console.log(findingsTable([...machine, ...read.findings, ...there]));
  return code;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what this machine, the project and the AWS account lack, and what to do about it')
    .option('--project <folder>', 'folder of the SAM project (default: the current folder, if it is one)')
    .option('--account', 'look at the AWS account, too', false)
    .option('--region <region>', 'region to look at (default: the one of the AWS configuration)')
    .option('--pipeline <stack>', 'name of the stack of the pipeline', DEFAULT_PIPELINE)
    .option('--json', 'print one JSON document at the end, and nothing else', false)
    .action(async (options: Options) => {
      process.exitCode = await doctor(options);
    });
}
