import picomatch from 'picomatch';
import { z } from 'zod';
import type { Installed } from './install.ts';
import any from './rules/any.json' with { type: 'json' };
import boto3 from './rules/boto3.json' with { type: 'json' };
import botocore from './rules/botocore.json' with { type: 'json' };
import joblib from './rules/joblib.json' with { type: 'json' };
import numpy from './rules/numpy.json' with { type: 'json' };
import pandas from './rules/pandas.json' with { type: 'json' };
import scikitLearn from './rules/scikit-learn.json' with { type: 'json' };
import scipy from './rules/scipy.json' with { type: 'json' };

/** What may go from one distribution, and why. The files are data: rules/NAME.json, `any` for every distribution. */
const ruleFileSchema = z.strictObject({
  distribution: z.string(),
  remove: z.array(
    z.strictObject({
      /** Globs relative to the tree. */
      files: z.array(z.string()).min(1),
      except: z.array(z.string()).default([]),
      reason: z.string().min(10),
    }),
  ),
  /** Folders below `folder` are AWS services; those named here stay in any case. */
  services: z.strictObject({ folder: z.string(), keep: z.array(z.string()), reason: z.string() }).optional(),
});

export type RuleFile = z.infer<typeof ruleFileSchema>;

export const RULE_FILES: readonly RuleFile[] = [
  any,
  numpy,
  pandas,
  scipy,
  scikitLearn,
  joblib,
  boto3,
  botocore,
].map((file) => ruleFileSchema.parse(file));

export interface Removal {
  path: string;
  distribution: string;
  reason: string;
}

/** AWS services to keep: the names that the code asks for, or 'all' where the code computes a name. */
export type ServicesInUse = string[] | 'all';

function servicesRemoved(installed: Installed, rule: RuleFile, inUse: ServicesInUse): Removal[] {
  const { services } = rule;
  if (!services || inUse === 'all') return [];
  const keep = new Set([...services.keep, ...inUse]);
  return installed.files
    .filter((path) => path.startsWith(`${services.folder}/`))
    .filter((path) => {
      const [service, ...rest] = path.slice(services.folder.length + 1).split('/');
      return rest.length > 0 && service !== undefined && !keep.has(service);
    })
    .map((path) => ({ path, distribution: installed.name, reason: services.reason }));
}

/** The files of one installed distribution that its rules, and those for all, remove. Licences always stay. */
export function planRemovals(
  installed: Installed,
  inUse: ServicesInUse,
  rules: readonly RuleFile[] = RULE_FILES,
): Removal[] {
  const own = rules.filter(({ distribution }) => distribution === '*' || distribution === installed.name);
  const removals = new Map<string, Removal>();
  const isLicence = picomatch(
    ['**/*.dist-info/**/{LICEN[CS]E,COPYING,NOTICE,AUTHORS}*', '**/{LICEN[CS]E,COPYING,NOTICE}*'],
    { nocase: true, dot: true },
  );
  for (const rule of own) {
    for (const { files, except, reason } of rule.remove) {
      const matches = picomatch(files, { ignore: except, dot: true });
      for (const path of installed.files) {
        if (matches(path) && !isLicence(path))
          removals.set(path, { path, distribution: installed.name, reason });
      }
    }
    for (const removal of servicesRemoved(installed, rule, inUse)) removals.set(removal.path, removal);
  }
  return [...removals.values()];
}

/**
 * The AWS services that Python code asks boto3 or botocore for.
 * @param sources the text of every Python file that a function ships
 * @returns 'all' as soon as one service name is computed, since then no list can be proven complete
 */
export function findServices(sources: readonly string[]): ServicesInUse {
  const found = new Set<string>();
  for (const source of sources) {
    if (!/\b(boto3|botocore|aioboto3|aiobotocore)\b/.test(source)) continue;
    for (const [, argument = ''] of source.matchAll(
      /\b(?:client|resource|create_client)\(\s*(?:service_name\s*=\s*)?([^,)\s]*)/g,
    )) {
      const literal = /^(['"])([a-z0-9-]+)\1$/.exec(argument)?.[2];
      if (!literal) return 'all';
      found.add(literal);
    }
  }
  return [...found].sort();
}
