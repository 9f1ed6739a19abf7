import { isObject, objectOf } from '../project/intrinsics.ts';

/**
 * What calls a function that is behind an alias past that alias. An alias holds back what calls it; whoever calls the function
 * by its own name or ARN reaches $LATEST, which CloudFormation changes with the function. All of it pure.
 */

type Template = Readonly<Record<string, unknown>>;

/** Types that name a function without calling it, or having it called. */
const CALLS_NOTHING = new Set([
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::CompositeAlarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::CodeDeploy::DeploymentGroup',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::IAM::RolePolicy',
  'AWS::Lambda::Alias',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::Version',
  'AWS::Logs::LogGroup',
  'AWS::Logs::MetricFilter',
]);

/** In a text of Fn::Sub, a function's name or ARN that no qualifier follows: `${Fn}`, `${Fn.Arn}`, not `${Fn.Arn}:live`. */
const namesUnqualified = (text: string, id: string) =>
  [...text.matchAll(/\$\{([A-Za-z0-9]+)(?:\.Arn)?\}(?!:[A-Za-z0-9_$-])/g)].some(([, name]) => name === id);

/** Whether a node names the function itself, by Ref, Fn::GetAtt or Fn::Sub. */
function names(node: unknown, id: string): boolean {
  if (Array.isArray(node)) return node.some((item) => names(item, id));
  if (!isObject(node)) return false;
  return Object.entries(node).some(([key, value]) => {
    if (key === 'Ref') return value === id;
    if (key === 'Fn::GetAtt') return (Array.isArray(value) ? value.join('.') : value) === `${id}.Arn`;
    if (key === 'Fn::Sub') {
      const [text, locals] = Array.isArray(value) ? value : [value];
      return (typeof text === 'string' && namesUnqualified(text, id)) || names(locals, id);
    }
    return names(value, id);
  });
}

/**
 * Logical id of the first resource that may have a function called by its own name, or undefined where all that the template
 * shows calls an alias. @param template as it is written @param id the function's logical id
 * @param isNested whether what the template hands out may be called by the one that nests it
 */
export function directCaller(template: Template, id: string, isNested: boolean): string | undefined {
  const caller = Object.entries(objectOf(template['Resources'])).find(([other, resource]) => {
    const { Type, Properties } = objectOf(resource);
    return other !== id && !CALLS_NOTHING.has(String(Type)) && names(Properties, id);
  });
  if (caller) return caller[0];
  return isNested
    ? Object.entries(objectOf(template['Outputs'])).find(([, output]) => names(output, id))?.[0]
    : undefined;
}
