/** What of a deployed stack's resources a smoke test and an alarm need: functions and APIs by their physical names. */

export interface StackResource {
  logicalId: string;
  physicalId: string;
  type: string;
}

/** A stage of an API through which requests come in. */
export interface ApiStage {
  /** Logical id of the API. */
  api: string;
  /** The API's id, the first label of its host name. */
  apiId: string;
  /** Undefined for the $default stage of an HTTP API, whose path has no stage. */
  stage?: string;
}

const REST_API = 'AWS::ApiGateway::RestApi';
const HTTP_API = 'AWS::ApiGatewayV2::Api';
const REST_STAGE = 'AWS::ApiGateway::Stage';
const HTTP_STAGE = 'AWS::ApiGatewayV2::Stage';

/** Physical names of the stack's functions, by logical id. */
export function functionsOf(resources: readonly StackResource[]): Map<string, string> {
  const functions = resources.filter(({ type }) => type === 'AWS::Lambda::Function');
  return new Map(functions.map(({ logicalId, physicalId }) => [logicalId, physicalId]));
}

/** An alias of one of the stack's functions. */
export interface StackAlias {
  logicalId: string;
  /** The function's physical name. */
  functionName: string;
  /** The alias's own name. */
  name: string;
}

/** The aliases of a stack's functions: Ref of an alias is its ARN, which ends with function:NAME:ALIAS. */
export function aliasesIn(resources: readonly StackResource[]): StackAlias[] {
  return resources.flatMap(({ logicalId, physicalId, type }) => {
    const [, functionName, name] = /:function:([^:]+):([^:]+)$/.exec(physicalId) ?? [];
    if (type !== 'AWS::Lambda::Alias' || functionName === undefined || name === undefined) return [];
    return [{ logicalId, functionName, name }];
  });
}

/** Numbers of the versions of a stack's functions, by logical id: Ref of a version is its ARN, which ends with the number. */
export function versionsOf(resources: readonly StackResource[]): Map<string, string> {
  const versions = resources.filter(({ type }) => type === 'AWS::Lambda::Version');
  return new Map(
    versions.map(({ logicalId, physicalId }) => [logicalId, physicalId.split(':').at(-1) ?? '']),
  );
}

/**
 * The stages of a stack's APIs. SAM names a stage's resource after its API (`ServerlessRestApi` has
 * `ServerlessRestApiProdStage`), which is how the two are matched.
 */
export function stagesOf(resources: readonly StackResource[]): ApiStage[] {
  const apis = resources.filter(({ type }) => type === REST_API || type === HTTP_API);
  return apis.flatMap((api) => {
    const wanted = api.type === REST_API ? REST_STAGE : HTTP_STAGE;
    const stages = resources.filter(
      ({ type, logicalId }) => type === wanted && logicalId.startsWith(api.logicalId),
    );
    return stages.map(({ physicalId }) => ({
      api: api.logicalId,
      apiId: api.physicalId,
      ...(physicalId === '$default' ? {} : { stage: physicalId }),
    }));
  });
}

/** Address of a path and query behind a stage: docs.aws.amazon.com/apigateway, "Invoke a REST API". */
export function stageUrl({ apiId, stage }: ApiStage, region: string, pathAndQuery: string): string {
  return `https://${apiId}.execute-api.${region}.amazonaws.com${stage === undefined ? '' : `/${stage}`}${pathAndQuery}`;
}
