/** Keys of the releases table: a stack's lock and its releases stand together, the releases sorted by time. */

type Key = { pk: { S: string }; sk: { S: string } };

const RELEASE = 'release#';
const stackKey = (stackName: string) => ({ S: `stack#${stackName}` });

export const lockKey = (stackName: string): Key => ({ pk: stackKey(stackName), sk: { S: 'lock' } });

export const releaseKey = (stackName: string, id: string): Key => ({
  pk: stackKey(stackName),
  sk: { S: `${RELEASE}${id}` },
});

/** The id of the release that a sort key names. */
export const releaseIdOf = (sk: string): string => sk.slice(RELEASE.length);

/** What a Query asks for to get all releases of a stack, oldest first. */
export const allReleases = (stackName: string) => ({
  KeyConditionExpression: 'pk = :pk AND begins_with(sk, :release)',
  ExpressionAttributeValues: { ':pk': stackKey(stackName), ':release': { S: RELEASE } },
});
