import { randomBytes } from 'node:crypto';

const PREFIX = 'PlimsollAccept';

/** Name of the stack of one acceptance's pipeline: nothing that people install is called so. */
export const newName = (): string => `${PREFIX}${randomBytes(3).toString('hex')}`;

/** Whether something may be removed under this name: never a pipeline that somebody has installed. */
export const isAcceptanceName = (name: string): boolean => new RegExp(`^${PREFIX}[0-9a-f]{6}$`).test(name);

/** The stack that an acceptance releases. In lower case: the pipeline's role may touch nothing that begins as its own name. */
export const exampleStackOf = (name: string): string => `${name.toLowerCase()}-example`;

/** The queue that an acceptance subscribes to the topic. */
export const inboxOf = (name: string): string => `${name}-inbox`;

/** Whether a resource is the pipeline, or was made by it or for its example: by its name, since CloudFormation tags not all. */
export function belongsTo(name: string, resource: string): boolean {
  const [one, other] = [resource.toLowerCase(), name.toLowerCase()];
  return one === other || one.startsWith(`${other}-`);
}
