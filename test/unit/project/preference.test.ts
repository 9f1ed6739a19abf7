import { describe, expect, it } from 'vitest';
import { slowest, stepsOfType } from '../../../core/project/preference.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject, withLongestBake } from '../../../core/release/plan.ts';
import { writeProject } from '../../support/project.ts';

const TEMPLATE = (preference: string, globals = '') => `Transform: AWS::Serverless-2016-10-31
Parameters:
  How: { Type: String, Default: Linear10PercentEvery1Minute }
${globals}Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.11
      AutoPublishAlias: live
${preference}  Missing:
    Type: AWS::CloudWatch::Alarm
    Properties: { AlarmName: orders-missing, ComparisonOperator: LessThanThreshold, EvaluationPeriods: 1 }
  Nameless:
    Type: AWS::CloudWatch::Alarm
    Properties: { ComparisonOperator: LessThanThreshold, EvaluationPeriods: 1 }
`;
const own = (text: string) => `      DeploymentPreference: ${text}\n`;
const project = async (template: string, more: Readonly<Record<string, string>> = {}) =>
  loadProject(
    await writeProject({
      'template.yaml': template,
      'src/app.py': 'def handler(event, context): pass\n',
      ...more,
    }),
  );

describe('the names that CodeDeploy has for steps of traffic', () => {
  it.each([
    ['AllAtOnce', [[100, 0]]],
    [
      'Canary10Percent5Minutes',
      [
        [10, 300],
        [100, 0],
      ],
    ],
    [
      'Linear10PercentEvery1Minute',
      [10, 20, 30, 40, 50, 60, 70, 80, 90].map((percent) => [percent, 60]).concat([[100, 0]]),
    ],
  ])('are known: %s', (type, steps) => {
    expect(stepsOfType(type)?.map(({ percent, bakeSeconds }) => [percent, bakeSeconds])).toEqual(steps);
  });
  it.each(['', 'Mine', 'Canary0Percent5Minutes', 'Linear10PercentEveryMinute'])(
    'are not made up: %s',
    (type) => {
      expect(stepsOfType(type)).toBeUndefined();
    },
  );
});

describe('a DeploymentPreference', () => {
  it('gives its steps and its alarms to the release, and is not deployed', async () => {
    const { traffic, remarks, template } = await project(
      TEMPLATE(own('{ Type: Canary10Percent10Minutes, Alarms: [!Ref Missing, given-elsewhere] }')),
    );
    expect(traffic).toEqual({
      steps: [
        { percent: 10, bakeSeconds: 600 },
        { percent: 100, bakeSeconds: 0 },
      ],
      alarms: ['orders-missing', 'given-elsewhere'],
    });
    expect(remarks).toEqual([]);
    expect(JSON.stringify(template.document)).not.toContain('DeploymentPreference');
    expect(template.hasAliases).toBe(true);
  });

  it('of Globals counts, and so does a parameter', async () => {
    const globals = 'Globals: { Function: { DeploymentPreference: { Type: !Ref How } } }\n';
    const { traffic, template } = await project(TEMPLATE('', globals));
    expect(traffic.steps).toHaveLength(10);
    expect(JSON.stringify(template.document)).not.toContain('DeploymentPreference');
  });

  it.each(['{ Enabled: false, Type: Canary10Percent10Minutes }', "{ Enabled: 'false', Type: Nothing }"])(
    'that is not enabled says nothing: %s',
    async (text) => {
      const { traffic, remarks } = await project(TEMPLATE(own(text)));
      expect(traffic.steps).toEqual([{ percent: 100, bakeSeconds: 0 }]);
      expect(remarks).toEqual([]);
    },
  );

  it('is said where it does not count: hooks, alarms without a name, steps that nobody here knows', async () => {
    const text = '{ Type: Mine, Alarms: [!Ref Nameless], Hooks: { PreTraffic: !Ref Hello } }';
    const { traffic, remarks } = await project(TEMPLATE(own(text)));
    expect(traffic.steps).toEqual(stepsOfType('Canary10Percent5Minutes'));
    expect(remarks).toEqual([
      'Hello: DeploymentPreference: what Mine stands for is not known here; Canary10Percent5Minutes counts instead',
      'Hello: DeploymentPreference: Nameless has no name before deployment and is not watched; give it an AlarmName',
      "Hello: DeploymentPreference: its hooks PreTraffic are not called; the function's smoke events take their place",
    ]);
  });

  it('gives way to what plimsoll.yaml says', async () => {
    const { traffic } = await project(TEMPLATE(own('{ Type: Canary10Percent10Minutes }')), {
      'plimsoll.yaml': 'traffic: { steps: [50], bake: 5 }\n',
    });
    expect(traffic.steps).toEqual([
      { percent: 50, bakeSeconds: 5 },
      { percent: 100, bakeSeconds: 5 },
    ]);
  });

  it('is watched no longer than the owner of a pipeline wants', async () => {
    const plan = await planProject(await project(TEMPLATE(own('{ Type: Canary10Percent10Minutes }'))));
    expect(withLongestBake(plan, 5).traffic.steps).toEqual([
      { percent: 10, bakeSeconds: 5 },
      { percent: 100, bakeSeconds: 0 },
    ]);
  });
});

describe('several preferences', () => {
  const one = (type: string, alarm: string) => ({
    steps: stepsOfType(type) ?? [],
    alarms: [alarm],
    remarks: [],
  });
  it('count as the slowest of them, with the alarms of all', () => {
    expect(
      slowest([
        one('AllAtOnce', 'a'),
        one('Linear10PercentEvery2Minutes', 'b'),
        one('Canary10Percent5Minutes', 'a'),
      ]),
    ).toEqual({ steps: stepsOfType('Linear10PercentEvery2Minutes'), alarms: ['a', 'b'] });
    expect(slowest([])).toBeUndefined();
  });
});
