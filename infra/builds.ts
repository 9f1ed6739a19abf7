import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  BuildSpec,
  Cache,
  ComputeType,
  LinuxBuildImage,
  LocalCacheMode,
  Project,
  Source,
} from 'aws-cdk-lib/aws-codebuild';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { parse } from 'yaml';
import { BUILD_IMAGE } from '../core/project/build-image.ts';
import type { Rights } from '../core/release/boundary.ts';
import { BUILD_QUEUE_SECONDS, BUILD_SECONDS } from '../core/release/limits.ts';
import { ANY_LAYER, LAYERS_WHY } from './arns.ts';
import { grant, type Permission } from './handler-function.ts';
import { buildspecFile, cliBundle, readText } from './paths.ts';
import type { Storage } from './storage.ts';

/** Where builds get packages from. */
export interface PackageSources {
  /** Of Python packages: these and no other, the first that has one; none: PyPI. */
  indexes: readonly string[];
  /** Of npm packages, for what `sam build` builds. @default npm's own */
  npmRegistry: string | undefined;
}

/** The tools' own settings. Where they name an index, a project's requirements can name none; npm puts its environment above a project's .npmrc. */
function sourceVariables({ indexes, npmRegistry }: PackageSources): Record<string, string> {
  const npm = npmRegistry === undefined ? {} : { NPM_CONFIG_REGISTRY: npmRegistry };
  const last = indexes.at(-1);
  if (last === undefined) return npm;
  // uv looks in its default index last.
  const others = indexes.slice(0, -1).join(' ');
  return { ...npm, UV_DEFAULT_INDEX: last, ...(others ? { UV_INDEX: others } : {}) };
}

/** What the owner of the pipeline says to Resolve: what templates may ask for, and about Lambda. */
interface ResolveSettings extends Rights {
  /** How long traffic is watched at most after a step, in seconds. @default as long as the project says */
  longestBake: string | undefined;
  /** Processors that this Lambda runs, by comma. @default all */
  processors: string | undefined;
}

/** Which accounts' layers a project uses, nobody knows beforehand. */
const LAYERS_OF_OTHERS: Permission = {
  actions: ['lambda:GetLayerVersion'],
  resources: [ANY_LAYER],
  wildcard: LAYERS_WHY,
};

/** The CodeBuild projects, one a buildspec; their source is the command line, which fetches the user's project. */
export class Builds extends Construct {
  readonly projects: Record<
    'ResolveProject' | 'OptimiseProject' | 'LayerProject' | 'FunctionsProject',
    Project
  >;
  /** Of the projects. */
  readonly logGroups: LogGroup[] = [];

  constructor(
    scope: Construct,
    id: string,
    storage: Storage,
    { boundary, roles, unbuilt, types, longestBake, processors }: ResolveSettings,
    private readonly packages: PackageSources,
  ) {
    super(scope, id);
    const cli = new Asset(this, 'CommandLine', { path: cliBundle });
    this.projects = {
      ResolveProject: this.project(
        'Resolve',
        'resolve',
        storage,
        cli,
        Duration.seconds(BUILD_SECONDS),
        {
          PERMISSIONS_BOUNDARY: boundary,
          ALLOWED_ROLES: roles.join(','),
          UNBUILT: unbuilt,
          ALLOWED_TYPES: types.join(','),
          ...(longestBake === undefined ? {} : { LONGEST_BAKE: longestBake }),
          ...(processors === undefined ? {} : { PROCESSORS: processors }),
        },
        [LAYERS_OF_OTHERS],
      ),
      OptimiseProject: this.project('Optimise', 'optimise', storage, cli, Duration.seconds(BUILD_SECONDS)),
      LayerProject: this.project('Layer', 'layer', storage, cli, Duration.seconds(BUILD_SECONDS)),
      FunctionsProject: this.project('Functions', 'functions', storage, cli, Duration.seconds(BUILD_SECONDS)),
    };
  }

  private project(
    id: string,
    buildspec: string,
    { sources, artifacts }: Storage,
    cli: Asset,
    timeout: Duration,
    environment: Record<string, string> = {},
    permissions: readonly Permission[] = [],
  ): Project {
    const scope = new Construct(this, id);
    const logGroup = new LogGroup(scope, 'Logs', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.logGroups.push(logGroup);
    const role = new Role(scope, 'Role', {
      assumedBy: new ServicePrincipal('codebuild.amazonaws.com'),
      description: `What the build ${buildspec} may do`,
    });
    grant(role, [
      {
        actions: ['s3:GetObject', 's3:GetObjectVersion'],
        resources: [sources.arnForObjects('*'), artifacts.arnForObjects('*')],
        wildcard: 'Objects are found by upload, by content hash and by release.',
      },
      { actions: ['s3:ListBucket'], resources: [artifacts.bucketArn] },
      {
        actions: ['s3:PutObject'],
        resources: [
          artifacts.arnForObjects('layers/*'),
          artifacts.arnForObjects('functions/*'),
          artifacts.arnForObjects('releases/*'),
          artifacts.arnForObjects('decisions/*'),
          artifacts.arnForObjects('nested/*'),
          artifacts.arnForObjects('uploads/*'),
          artifacts.arnForObjects('wheels/*'),
          artifacts.arnForObjects('external/*'),
        ],
      },
      ...permissions,
      {
        actions: ['s3:GetObject', 's3:GetObjectVersion'],
        resources: [cli.bucket.arnForObjects(cli.s3ObjectKey)],
      },
    ]);
    logGroup.grantWrite(role);
    const project = new Project(scope, 'Project', {
      description: `plimsoll: ${buildspec}`,
      source: Source.s3({ bucket: cli.bucket, path: cli.s3ObjectKey }),
      buildSpec: BuildSpec.fromObjectToYaml(parse(readText(buildspecFile(buildspec)))),
      environment: {
        buildImage: LinuxBuildImage.fromCodeBuildImageId(BUILD_IMAGE),
        computeType: ComputeType.MEDIUM,
      },
      environmentVariables: Object.fromEntries(
        Object.entries({
          ARTIFACT_BUCKET: artifacts.bucketName,
          ...sourceVariables(this.packages),
          ...environment,
        }).map(([name, value]) => [name, { value }]),
      ),
      logging: { cloudWatch: { logGroup } },
      // What uv has downloaded stays on the host for the next build that runs there. It is never needed.
      cache: Cache.local(LocalCacheMode.CUSTOM),
      // CDK would add wildcard actions of its own; the role has what it needs.
      role: role.withoutPolicyUpdates(),
      timeout,
      queuedTimeout: Duration.seconds(BUILD_QUEUE_SECONDS),
      grantReportGroupPermissions: false,
    });
    NagSuppressions.addResourceSuppressions(project, [
      {
        id: 'AwsSolutions-CB4',
        reason:
          "The builds have no artifacts of CodeBuild's own; what they make lies in an encrypted bucket.",
      },
    ]);
    return project;
  }
}
