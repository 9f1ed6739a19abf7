/** Ways to look at ARNs of policies: with {Partition}, {Region}, {Account}, and stars. */

/** ARNs by which a template names what it makes, by type; ID stands for the name. */
const MADE: Readonly<Record<string, string>> = {
  'AWS::CodeBuild::Project': 'arn:{Partition}:codebuild:{Region}:{Account}:project/ID',
  'AWS::DynamoDB::Table': 'arn:{Partition}:dynamodb:{Region}:{Account}:table/ID',
  'AWS::IAM::Role': 'arn:{Partition}:iam::{Account}:role/ID',
  'AWS::Lambda::Function': 'arn:{Partition}:lambda:{Region}:{Account}:function:ID',
  'AWS::Logs::LogGroup': 'arn:{Partition}:logs:{Region}:{Account}:log-group:ID:*',
  'AWS::S3::Bucket': 'arn:{Partition}:s3:::ID',
  'AWS::SNS::Topic': 'arn:{Partition}:sns:{Region}:{Account}:ID',
  'AWS::SQS::Queue': 'arn:{Partition}:sqs:{Region}:{Account}:ID',
  'AWS::StepFunctions::StateMachine': 'arn:{Partition}:states:{Region}:{Account}:stateMachine:ID',
};

/** A resource of a policy as an ARN. @param types of the template's resources, by logical id @throws Error at an unknown type */
export function arnOf(resource: string, types: ReadonlyMap<string, string>): string {
  return resource.replace(/<([\w:]+)>/g, (_all, id: string) => {
    const type = types.get(id);
    // A pseudo parameter, such as the stack's own name, stands inside an ARN.
    if (type === undefined) return id.replaceAll(':', '');
    const arn = MADE[type];
    if (arn === undefined) throw new Error(`${id}: no ARN is known of ${type}`);
    return arn.replace('ID', id);
  });
}

/** Whether some text fits both patterns, whose stars stand for any text. */
export function overlap(one: string, other: string): boolean {
  if (one === '' && other === '') return true;
  if (one.startsWith('*'))
    return overlap(one.slice(1), other) || (other !== '' && overlap(one, other.slice(1)));
  if (other.startsWith('*')) return overlap(other, one);
  return one !== '' && one[0] === other[0] && overlap(one.slice(1), other.slice(1));
}
