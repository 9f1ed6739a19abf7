import { objectOf } from '../project/intrinsics.ts';

/** One resource of a change set, as CloudFormation's DescribeChangeSet tells it. */
export interface ResourceChange {
  /** Of a resource of a nested stack, behind that stack's own and a dot. */
  logicalId: string;
  type: string;
  /** Add, Modify, Remove, Import, Dynamic. */
  action: string;
  /** Of a Modify: True, False or Conditional. */
  replacement?: string;
  /** Names of the changed properties by which it may be replaced, where CloudFormation cannot say. */
  conditional?: readonly string[];
  /** What becomes of the old resource: Delete, Retain, Snapshot, ReplaceAndDelete, ReplaceAndRetain, ReplaceAndSnapshot. */
  policyAction?: string;
}

/** Types that hold what nobody can deploy again. */
export const STATEFUL_TYPES: readonly string[] = [
  'AWS::Backup::BackupVault',
  'AWS::Cognito::IdentityPool',
  'AWS::Cognito::UserPool',
  'AWS::DocDB::DBCluster',
  'AWS::DynamoDB::GlobalTable',
  'AWS::DynamoDB::Table',
  'AWS::EC2::Volume',
  'AWS::ECR::Repository',
  'AWS::EFS::FileSystem',
  'AWS::ElastiCache::CacheCluster',
  'AWS::ElastiCache::ReplicationGroup',
  'AWS::Kinesis::Stream',
  'AWS::KMS::Key',
  'AWS::Logs::LogGroup',
  'AWS::MSK::Cluster',
  'AWS::Neptune::DBCluster',
  'AWS::OpenSearchService::Domain',
  'AWS::RDS::DBCluster',
  'AWS::RDS::DBInstance',
  'AWS::Redshift::Cluster',
  'AWS::S3::Bucket',
  'AWS::SecretsManager::Secret',
  'AWS::SQS::Queue',
  'AWS::Timestream::Table',
];

/** Whether all that CloudFormation cannot say of a change is what new definitions of a table's attributes do. */
export const isOfAttributes = ({ type, replacement, conditional = [] }: ResourceChange): boolean =>
  type === 'AWS::DynamoDB::Table' &&
  replacement === 'Conditional' &&
  conditional.length > 0 &&
  conditional.every((name) => name === 'AttributeDefinitions');

/** Types of a table's attributes by name, as its template writes them. */
function attributesOf(resource: unknown): Map<string, string> {
  const list = objectOf(objectOf(resource)['Properties'])['AttributeDefinitions'];
  return new Map(
    (Array.isArray(list) ? list : []).map((one) => {
      const { AttributeName, AttributeType } = objectOf(one);
      return [JSON.stringify(AttributeName), JSON.stringify(AttributeType)];
    }),
  );
}

/**
 * Whether a table stays though its attributes are defined anew, as for another index: it is replaced only where one that it
 * has is edited (CloudFormation template reference, AWS::DynamoDB::Table, AttributeDefinitions). Pure.
 */
export function keepsTable(before: unknown, after: unknown): boolean {
  const had = attributesOf(before);
  return [...attributesOf(after)].every(([name, type]) => !had.has(name) || had.get(name) === type);
}

/**
 * The resources whose data a change set would end, each with what it would do to it. A resource that CloudFormation
 * keeps, or lets go of without deleting it, is in no danger. Pure.
 * @param protectedToo logical ids, or types, that the project guards besides
 * @param allowed logical ids that the input allows by name
 */
export function endangered(
  changes: readonly ResourceChange[],
  protectedToo: readonly string[],
  allowed: readonly string[],
): string[] {
  const guards = new Set([...STATEFUL_TYPES, ...protectedToo]);
  return changes
    .filter(
      ({ logicalId, type }) => (guards.has(type) || guards.has(logicalId)) && !allowed.includes(logicalId),
    )
    .filter(({ policyAction = '' }) => !policyAction.endsWith('Retain'))
    .flatMap(({ logicalId, type, action, replacement }) => {
      const what =
        action === 'Remove'
          ? 'delete'
          : replacement === 'True'
            ? 'replace'
            : replacement === 'Conditional'
              ? 'perhaps replace'
              : undefined;
      return what === undefined ? [] : [`${what} ${logicalId} (${type})`];
    });
}
