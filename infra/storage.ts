import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type CfnBucket,
} from 'aws-cdk-lib/aws-s3';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';

/** Old versions of uploaded projects and of release documents are kept so long. */
const OLD_VERSIONS = Duration.days(90);

/**
 * Where projects are uploaded, where artifacts and releases' documents lie, and the table of releases and claims.
 * All of it outlives the stack: what is in production was made of it.
 */
export class Storage extends Construct {
  readonly sources: Bucket;
  readonly artifacts: Bucket;
  readonly releases: Table;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const common: BucketProps = {
      versioned: true,
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        { noncurrentVersionExpiration: OLD_VERSIONS, abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
    };
    this.sources = new Bucket(this, 'Sources', common);
    // Bucket's own eventBridgeEnabled brings a Lambda function of CDK's; CloudFormation has a property for it.
    const resource = this.sources.node.defaultChild as CfnBucket;
    resource.addPropertyOverride('NotificationConfiguration.EventBridgeConfiguration', {
      EventBridgeEnabled: true,
    });
    this.artifacts = new Bucket(this, 'Artifacts', common);
    this.releases = new Table(this, 'Releases', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    NagSuppressions.addResourceSuppressions(
      [this.sources, this.artifacts],
      [
        {
          id: 'AwsSolutions-S1',
          reason:
            'CloudTrail data events record who reads and writes; a bucket of access logs would be one more to guard.',
        },
      ],
    );
  }
}
