import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import { get } from '../support/aws.ts';
import { buildingStates } from '../support/builds.ts';
import { plimsoll } from '../support/command.ts';
import { BASE, writeProject } from '../support/project.ts';

const PROJECT = join(ROOT, 'examples', 'item-prediction');

interface Report {
  sizes: { total: number; artifacts: { name: string; bytes: number; zipped: number }[] };
  smoke: { check: string }[];
  probes: { function: string; ms: number; memoryMb: number; ofMb: number }[];
  states: { state: string; item?: string; status: string; ms: number }[];
  outputs: Record<string, string>;
}

describe('the example, by the command line', () => {
  it('is built, trimmed, validated, deployed and smoke-tested', async () => {
    const { code, stdout, stderr } = await plimsoll('deploy', '--project', PROJECT, '--json');
    expect(stderr).toBe('');
    expect(code, stdout).toBe(0);
    const report = JSON.parse(stdout) as Report;
    expect(report.sizes.total).toBeLessThanOrEqual(225_000_000);
    expect(report.sizes.artifacts.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'core-data-science',
        'ml-libraries',
        'aws-utilities',
        'DataValidation',
        'FeatureEngineering',
        'Predictions',
      ]),
    );
    expect(report.smoke.map(({ check }) => check)).toEqual([
      'smoke event orders of DataValidation',
      'smoke event two-customers of FeatureEngineering',
      'smoke event missing-facility of Predictions',
      'smoke event predict of Predictions',
      'GET /predict?customerId=c-001&facilityId=f-01',
      'GET /predict?customerId=c-001',
      'log of DataValidation',
      'log of FeatureEngineering',
      'log of Predictions',
    ]);
    expect(report.probes).toEqual(
      ['DataValidation', 'FeatureEngineering', 'Predictions'].map((name) => ({
        function: name,
        modules: expect.any(Number),
        ms: expect.any(Number),
        memoryMb: expect.any(Number),
        ofMb: 1024,
      })),
    );
    const states = report.states.map(({ state }) => state);
    // One build makes the three layers and the functions.
    expect(states.filter((state) => buildingStates().includes(state))).toEqual(['Resolve']);
    const answer = await get('item-prediction', '/predict?customerId=c-007&facilityId=f-02');
    expect(answer).toMatchObject({
      status: 200,
      body: { customerId: 'c-007', prediction: expect.any(Number) },
    });
  });

  it('is released again with every layer used as it was built', async () => {
    const { code, stdout } = await plimsoll('deploy', '--project', PROJECT, '--json');
    expect(code, stdout).toBe(0);
    const { states } = JSON.parse(stdout) as Report;
    expect(states.filter(({ state }) => buildingStates().includes(state))).toHaveLength(1);
  });
});

describe('plimsoll doctor --account', () => {
  it('finds the pipeline and its version, and says of each line what is there, or why it could not look', async () => {
    const { code, stdout, stderr } = await plimsoll('doctor', '--account', '--json', '--project', PROJECT);
    expect(stderr).toBe('');
    const { account } = JSON.parse(stdout) as { account: { what: string; verdict: string }[] };
    expect(account).toEqual([
      { what: 'Credentials', verdict: 'ok', found: expect.stringMatching(/^arn:aws:iam::\d{12}:root$/) },
      { what: 'Account and region', verdict: 'ok', found: expect.stringMatching(/^\d{12}, us-east-1$/) },
      expect.objectContaining({ what: 'Permissions', verdict: 'warning' }),
      expect.objectContaining({ what: 'Services of the region', verdict: 'unknown' }),
      // Its assets go to a bucket of its own: "cdk bootstrap" has not been here.
      expect.objectContaining({ what: 'CDK bootstrap', verdict: 'failed', remedy: expect.any(String) }),
      { what: 'Pipeline Plimsoll', verdict: 'ok', found: expect.stringMatching(/^version \d/) },
      expect.objectContaining({ what: 'Lambda code storage', verdict: 'ok' }),
      expect.objectContaining({ what: 'Lambda concurrency', verdict: 'ok' }),
      expect.objectContaining({ what: 'CodeBuild builds at once', verdict: 'unknown' }),
      expect.objectContaining({ what: 'CloudFormation stacks' }),
      expect.objectContaining({ what: 'CloudWatch alarms', verdict: 'unknown' }),
    ]);
    expect(code).toBe(1);
  });
});

describe('the exit code of deploy', () => {
  it('is 2 for wrong use and for a broken project, with the message on standard error', async () => {
    const unknown = await plimsoll('deploy', '--nope');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("unknown option '--nope'");
    const elsewhere = await plimsoll('deploy', '--project', join(ROOT, 'docs'), '--stack-name', 'x');
    expect(elsewhere.code).toBe(2);
    expect(elsewhere.stderr).toMatch(
      /ProjectError: .*no template\.yaml, template\.yml or template\.json here/,
    );
    const parameter = await plimsoll('deploy', '--project', PROJECT, '--parameter', 'Nope=1');
    expect(parameter.code).toBe(2);
    expect(parameter.stderr).toContain('has no parameter Nope; it declares Environment, BedrockModelId');
  });

  it('is 2 for a value that the template does not allow', async () => {
    const { code, stderr } = await plimsoll('deploy', '--project', PROJECT, '--environment', 'elsewhere');
    expect(code).toBe(2);
    expect(stderr).toContain('parameter Environment cannot be "elsewhere"; it allows dev, staging, prod');
  });

  it('is 1 for a check that failed in the pipeline, and its message is shown once', async () => {
    const root = await writeProject({ ...BASE, 'plimsoll.yaml': 'budgets: { total: 1 kB }\n' });
    const { code, stderr } = await plimsoll('deploy', '--project', root, '--stack-name', 'over-budget');
    await rm(root, { recursive: true, force: true });
    expect(code).toBe(1);
    expect(stderr.match(/BudgetExceededError: whole release is/g)).toHaveLength(1);
  });
});
