import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findServices, planRemovals, RULE_FILES } from '../../../core/build/rules.ts';

const removed = (name: string, files: string[], services: string[] | 'all' = []) =>
  planRemovals({ name, version: '1', files }, services).map(({ path }) => path);

describe('the rules', () => {
  it('remove data, tests and sources, each for a reason', () => {
    const files = [
      'numpy/__init__.py',
      'numpy/core/tests/test_x.py',
      'numpy/core/include/a.h',
      'numpy/__init__.pyi',
      'numpy-1.dist-info/RECORD',
      'numpy-1.dist-info/METADATA',
    ];
    expect(removed('numpy', files).sort()).toEqual([
      'numpy-1.dist-info/RECORD',
      'numpy/__init__.pyi',
      'numpy/core/include/a.h',
      'numpy/core/tests/test_x.py',
    ]);
  });

  it('never remove a licence, wherever it lies', () => {
    const files = [
      'numpy-1.dist-info/LICENSE',
      'numpy-1.dist-info/licenses/LICENSE.txt',
      'numpy/core/tests/LICENSE.md',
      'numpy-1.dist-info/licenses/COPYING.h',
      'numpy/NOTICE',
    ];
    expect(removed('numpy', files)).toEqual([]);
  });

  it('keep the folders named docs and tests of packages that they do not know: botocore.docs is code', () => {
    expect(removed('botocore', ['botocore/docs/__init__.py', 'botocore/docs/client.py'])).toEqual([]);
    expect(
      removed('unknown', ['unknown/tests/__init__.py', 'unknown/docs/x.py', 'unknown/data/x.json']),
    ).toEqual([]);
  });

  it('keep the models of the services in use, and all of them where the use is not known', () => {
    const files = [
      'botocore/data/s3/2006/service-2.json.gz',
      'botocore/data/ec2/2016/service-2.json.gz',
      'botocore/data/kinesis/1/service-2.json',
      'botocore/data/endpoints.json',
      'botocore/data/partitions.json',
    ];
    expect(removed('botocore', files)).toEqual([
      'botocore/data/ec2/2016/service-2.json.gz',
      'botocore/data/kinesis/1/service-2.json',
    ]);
    expect(removed('botocore', files, ['ec2'])).toEqual(['botocore/data/kinesis/1/service-2.json']);
    expect(removed('botocore', files, 'all')).toEqual([]);
  });

  it('touch no Python module outside test suites and what compiles', () => {
    const allowed =
      /(^|\/)(tests?|doc|f2py|command|fcompiler|checks|_pyinstaller|examples)\/|(setup|conftest|umath_tests)\.py$/;
    for (const { distribution } of RULE_FILES) {
      const name = distribution === '*' ? 'any-package' : distribution;
      const top = name === 'scikit-learn' ? 'sklearn' : name.replace('-', '_');
      fc.assert(
        fc.property(
          fc.array(fc.stringMatching(/^[a-z_]{1,10}$/), { minLength: 1, maxLength: 4 }),
          (parts) => {
            const path = `${top}/${parts.join('/')}.py`;
            expect(removed(name, [path]).filter((one) => !allowed.test(one))).toEqual([]);
          },
        ),
      );
    }
  });
});

describe('the AWS services that code asks for', () => {
  it.each([
    [
      'import boto3\ns3 = boto3.client("s3")\nboto3.resource(\'dynamodb\', region_name="x")',
      ['dynamodb', 's3'],
    ],
    ['import boto3\nboto3.session.Session().client(service_name="sqs")', ['sqs']],
    ['import boto3\nboto3.client(NAME)', 'all'],
    ['import boto3\nboto3.client(f"s{3}")', 'all'],
    ['client("s3")', []],
    ['from botocore.session import get_session\nget_session().create_client("kms")', ['kms']],
  ])('%j', (source, services) => {
    expect(findServices([source])).toEqual(services);
  });
});
