import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PipelineStack } from '../../infra/pipeline-stack.ts';
import { ROOT } from '../../local/paths.ts';
import { cfnLint, type Finding } from '../support/cfn-lint.ts';

/** Rules whose findings stay, each with its reason. */
const ACCEPTED: Readonly<Record<string, string>> = {
  W3005: 'CDK names the role in DependsOn beside the policy, which is needed there; once more does no harm',
};

/** One that CloudFormation rejects: a property that is none. */
const BROKEN = {
  Resources: {
    Hello: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        Code: { ZipFile: 'x' },
        Handler: 'index.handler',
        Role: 'arn:aws:iam::123456789012:role/hello',
        Runtime: 'nodejs24.x',
        Colour: 'red',
      },
    },
  },
};

describe('cfn-lint', () => {
  let folder: string;
  let findings: Finding[];
  const file = (name: string) => join(folder, name);
  const example = join(ROOT, 'examples', 'item-prediction', 'template.yaml');
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plimsoll-cfn-lint-'));
    const app = new App({ outdir: folder });
    new PipelineStack(app, 'Plimsoll');
    app.synth();
    await writeFile(file('broken.json'), JSON.stringify(BROKEN));
    findings = await cfnLint(
      [file('Plimsoll.template.json'), example, file('broken.json')],
      ['us-east-1', 'eu-central-1'],
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    ['the pipeline', () => file('Plimsoll.template.json')],
    ['the example', () => example],
  ])('finds nothing in the template of %s', (_what, path) => {
    const found = findings.filter(({ file: one, rule }) => one === path() && ACCEPTED[rule] === undefined);
    expect(found).toEqual([]);
  });

  it('finds what is wrong in one that is broken', () => {
    const rules = findings.filter((one) => one.file === file('broken.json')).map(({ rule }) => rule);
    expect(rules).toEqual(expect.arrayContaining(['E3002']));
  });

  it('still has the findings that are accepted', () => {
    const rules = findings.map(({ rule }) => rule);
    expect(Object.keys(ACCEPTED).filter((rule) => !rules.includes(rule))).toEqual([]);
  });
});
