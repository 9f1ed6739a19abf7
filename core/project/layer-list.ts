import { ProjectError } from '../errors.ts';
import type { ProjectConfig } from './config.ts';

/** The layers of a function as its template lists them, in its order: the order decides which of them counts. */

/** A layer that somebody else builds. */
export interface LayerOfOthers {
  /** ARN of the version; undefined where only CloudFormation knows it. */
  arn?: string;
  /** What the template calls it: a parameter, a resource, an export, a dynamic reference; undefined for what has no name. */
  name?: string;
}

/** A layer of the project, by its logical id, or of others. */
export type ListedLayer = string | LayerOfOthers;

/** Logical ids of the project's own among listed layers, in their order. Pure. */
export const ownOf = (listed: readonly ListedLayer[]): string[] => [
  ...new Set(listed.filter((one) => typeof one === 'string')),
];

export const othersOf = (listed: readonly ListedLayer[]): LayerOfOthers[] =>
  listed.filter((one) => typeof one !== 'string');

/** `arn:aws:lambda:us-east-1:017000801446:layer:Tools:7` without the version. */
const withoutVersion = (arn: string) => arn.replace(/:\d+$/, '');

/** How plimsoll.yaml may name a layer of others, the narrowest first. */
const namesOf = ({ arn, name }: LayerOfOthers): string[] => [
  ...(arn === undefined ? [] : [arn, withoutVersion(arn)]),
  ...(name === undefined ? [] : [name]),
];

/** What stands in the place of a layer of others where it cannot be read: a path in the project. Pure. */
export const standIn = (layer: LayerOfOthers, { external }: Pick<ProjectConfig, 'external'>) =>
  namesOf(layer)
    .map((name) => (Object.hasOwn(external, name) ? external[name] : undefined))
    .find((path) => path !== undefined);

/** What people read of a layer of others. */
export const titleOf = ({ arn, name }: LayerOfOthers): string =>
  arn ?? name ?? 'a layer that only CloudFormation knows';

/** @throws ProjectError naming the first key of `external` that is no layer of others of these functions */
export function refuseUnusedStandIns(
  file: string,
  { external }: Pick<ProjectConfig, 'external'>,
  functions: readonly { listed: readonly ListedLayer[] }[],
): void {
  const names = functions.flatMap(({ listed }) => othersOf(listed).flatMap(namesOf));
  const unused = Object.keys(external).find((name) => !names.includes(name));
  if (unused !== undefined)
    throw new ProjectError(
      `${file}: external.${unused}: no function uses a layer of that name\n  Name the layer's ARN, with or without its version, or what the template calls it: ${[...new Set(names)].slice(0, 5).join(', ') || 'there is none'}`,
    );
}
