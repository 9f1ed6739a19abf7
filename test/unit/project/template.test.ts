import { describe, expect, it } from 'vitest';
import { resolve, UNKNOWN } from '../../../core/project/intrinsics.ts';
import { readTemplate } from '../../../core/project/template.ts';

const LAYER = 'AWS::Serverless::LayerVersion';
const FUNCTION = 'AWS::Serverless::Function';
const read = (document: object, parameters = {}) =>
  readTemplate(JSON.stringify(document), 'template.yaml', parameters);

const fn = (properties: object = {}) => ({
  Type: FUNCTION,
  Properties: { CodeUri: 'f/', Handler: 'app.handler', Runtime: 'python3.11', ...properties },
});
const layer = (properties: object = {}) => ({ Type: LAYER, Properties: { ContentUri: 'l/', ...properties } });

describe('a SAM template', () => {
  it('merges Globals as SAM does: lists added up, maps merged, the rest replaced', () => {
    const { functions } = read({
      Globals: {
        Function: {
          Runtime: 'python3.12',
          Timeout: 3,
          Layers: [{ Ref: 'A' }],
          Environment: { Variables: { X: 'global', Y: 'global' } },
        },
      },
      Resources: {
        A: layer(),
        B: layer({ LayerName: 'b' }),
        F: {
          Type: FUNCTION,
          Properties: {
            CodeUri: 'f/',
            Handler: 'app.handler',
            Layers: [{ Ref: 'B' }],
            Environment: { Variables: { X: 'own' } },
          },
        },
      },
    });
    expect(functions[0]).toMatchObject({
      runtime: 'python3.12',
      layers: ['A', 'B'],
      environment: { X: 'own', Y: 'global' },
    });
  });

  it('takes parameters from the release, else their defaults, and follows conditions and mappings', () => {
    const document = {
      Parameters: { Stage: { Type: 'String', Default: 'dev' } },
      Mappings: { Code: { dev: { Uri: 'dev/' }, prod: { Uri: 'prod/' } } },
      Conditions: { IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } },
      Resources: {
        F: fn({
          CodeUri: { 'Fn::FindInMap': ['Code', { Ref: 'Stage' }, 'Uri'] },
          Handler: { 'Fn::If': ['IsProd', 'prod.handler', { 'Fn::Sub': '${Stage}.handler' }] },
        }),
      },
    };
    expect(read(document).functions[0]).toMatchObject({ codeUri: 'dev/', handler: 'dev.handler' });
    expect(read(document, { Stage: 'prod' }).functions[0]).toMatchObject({
      codeUri: 'prod/',
      handler: 'prod.handler',
    });
  });

  it('knows the layers of others from its own', () => {
    const arn = 'arn:aws:lambda:us-east-1:123456789012:layer:theirs:3';
    const { functions } = read({
      Parameters: { Theirs: { Type: 'String' } },
      Resources: { A: layer(), F: fn({ Layers: [{ Ref: 'A' }, arn, { Ref: 'Theirs' }] }) },
    });
    expect(functions[0]).toMatchObject({ layers: ['A'], listed: ['A', { arn }, { name: 'Theirs' }] });
  });

  it('names a layer by its LayerName, else by its logical id', () => {
    const { layers } = read({
      Resources: { CoreDataScienceLayer: layer(), MLLibraries2: layer(), X: layer({ LayerName: 'shown' }) },
    });
    expect(layers.map(({ name }) => name)).toEqual(['core-data-science', 'ml-libraries-2', 'shown']);
  });

  it('leaves alone what needs no build', () => {
    const { functions, layers } = read({
      Resources: {
        Inline: {
          Type: FUNCTION,
          Properties: { InlineCode: 'x', Handler: 'index.handler', Runtime: 'python3.11' },
        },
        InS3: fn({ CodeUri: 's3://bucket/key' }),
        Image: fn({ PackageType: 'Image', ImageUri: 'registry/image:1' }),
        Node: fn({ Runtime: 'nodejs24.x', CodeUri: 's3://bucket/key' }),
        AlsoInS3: fn({ CodeUri: { Bucket: 'b', Key: 'k' } }),
        LayerInS3: layer({ ContentUri: 's3://bucket/key' }),
        Ours: fn(),
      },
    });
    expect(functions.map(({ logicalId }) => logicalId)).toEqual(['Ours']);
    expect(layers).toEqual([]);
  });

  it('gives to sam build what is not ours to build, every value written out', () => {
    const { functions, layers } = read({
      Parameters: { Node: { Type: 'String', Default: 'nodejs22.x' } },
      Resources: {
        Node: fn({ Runtime: { Ref: 'Node' }, Architectures: ['arm64'], Layers: [{ Ref: 'Shared' }] }),
        Make: { ...fn(), Metadata: { BuildMethod: 'makefile' } },
        Esbuild: {
          ...fn({ Runtime: 'nodejs22.x' }),
          Metadata: {
            BuildMethod: 'esbuild',
            BuildProperties: { EntryPoints: [{ 'Fn::Sub': '${Node}.ts' }] },
          },
        },
        Java: fn({ Runtime: 'java21', CodeUri: 'target/app.jar' }),
        Zipped: fn({ CodeUri: 'dist/app.zip' }),
        Shared: { ...layer({ CompatibleRuntimes: ['nodejs22.x'] }), Metadata: { BuildMethod: 'nodejs22.x' } },
        Ours: fn(),
        OursToo: { ...fn(), Metadata: { BuildMethod: 'python-uv' } },
      },
    });
    const properties = { CodeUri: 'f/', Handler: 'app.handler' };
    const foreign = Object.fromEntries([...functions, ...layers].map((one) => [one.logicalId, one.foreign]));
    expect(foreign).toEqual({
      Node: {
        sam: {
          Type: FUNCTION,
          Properties: { ...properties, Runtime: 'nodejs22.x', Architectures: ['arm64'] },
        },
      },
      Make: {
        sam: {
          Type: FUNCTION,
          Properties: { ...properties, Runtime: 'python3.11', Architectures: ['x86_64'] },
          Metadata: { BuildMethod: 'makefile' },
        },
      },
      Esbuild: {
        sam: {
          Type: FUNCTION,
          Properties: { ...properties, Runtime: 'nodejs22.x', Architectures: ['x86_64'] },
          Metadata: { BuildMethod: 'esbuild', BuildProperties: { EntryPoints: ['nodejs22.x.ts'] } },
        },
      },
      Java: { archive: 'target/app.jar' },
      Zipped: { archive: 'dist/app.zip' },
      Shared: {
        sam: {
          Type: LAYER,
          Properties: { ContentUri: 'l/', CompatibleRuntimes: ['nodejs22.x'] },
          Metadata: { BuildMethod: 'nodejs22.x' },
        },
      },
      Ours: undefined,
      OursToo: undefined,
    });
    expect(functions.find(({ logicalId }) => logicalId === 'Node')?.layers).toEqual(['Shared']);
  });

  it.each([
    [
      'no CodeUri',
      { F: { Type: FUNCTION, Properties: { Handler: 'a.b', Runtime: 'python3.11' } } },
      /Resources\.F\.Properties\.CodeUri: missing/,
    ],
    [
      'a value that only the deployment knows',
      { F: fn({ Handler: { 'Fn::GetAtt': ['A', 'B'] } }) },
      /Handler: cannot be known before deployment/,
    ],
    [
      'Metadata that only the deployment knows',
      {
        F: {
          ...fn({ Runtime: 'nodejs22.x' }),
          Metadata: { BuildMethod: 'esbuild', BuildProperties: { Target: { Ref: 'AWS::Region' } } },
        },
      },
      /Resources\.F\.Metadata: .* cannot be known before deployment/,
    ],
    ['an unknown architecture', { F: fn({ Architectures: ['riscv'] }) }, /Architectures: \["riscv"\]/],
    ['a layer that is not there', { F: fn({ Layers: [{ Ref: 'Gone' }] }) }, /!Ref Gone names no resource/],
    [
      'a layer name that Lambda refuses',
      { A: layer({ LayerName: '../x' }) },
      /"\.\.\/x" is not a layer name/,
    ],
    ['a logical id with a dash', { 'a-b': fn() }, /logical id/],
  ])('is refused with %s, naming it', (_what, resources, problem) => {
    expect(() => read({ Resources: resources })).toThrow(problem);
  });

  it('is refused with a parameter that it does not declare', () => {
    expect(() => read({ Parameters: { A: { Type: 'String' } }, Resources: { F: fn() } }, { B: '1' })).toThrow(
      /has no parameter B; it declares A/,
    );
  });
});

describe('an intrinsic', () => {
  const scope = {
    parameters: { P: 'p' },
    mappings: {},
    conditions: { Circle: { Condition: 'Round' }, Round: { Condition: 'Circle' } },
  };
  it.each([
    [{ Ref: 'P' }, 'p'],
    [{ Ref: 'constructor' }, UNKNOWN],
    [{ 'Fn::Sub': '${!Literal} ${P}' }, '${Literal} p'],
    [{ 'Fn::Sub': ['${a}', { a: 1 }] }, '1'],
    [{ 'Fn::Sub': '${AWS::Region}' }, UNKNOWN],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'P' }]] }, 'a-p'],
    [{ 'Fn::Select': ['1', { 'Fn::Split': [':', 'a:b'] }] }, 'b'],
    [{ 'Fn::And': [{ 'Fn::Equals': ['a', 'a'] }, { 'Fn::Not': [{ 'Fn::Equals': ['a', 'b'] }] }] }, true],
    [{ 'Fn::Or': [{ 'Fn::Equals': ['a', 'b'] }, { 'Fn::Equals': ['b', 'b'] }] }, true],
    [{ 'Fn::If': ['Circle', 1, 2] }, UNKNOWN],
    [{ 'Fn::GetAtt': ['A', 'B'] }, UNKNOWN],
    [{ plain: 'map' }, { plain: 'map' }],
  ])('%j', (value, expected) => {
    expect(resolve(value, scope)).toEqual(expected);
  });

  it('takes what is built already as it is: SkipBuild, and assets that CDK has bundled', () => {
    const { functions } = read({
      Resources: {
        Python: { ...fn(), Metadata: { SkipBuild: true } },
        Node: { ...fn({ Runtime: 'nodejs22.x' }), Metadata: { SkipBuild: 'True' } },
        Cdk: {
          Type: 'AWS::Lambda::Function',
          Properties: { Code: { S3Bucket: { Ref: 'B' }, S3Key: 'k' }, Handler: 'a.b', Runtime: 'python3.11' },
          Metadata: {
            'aws:asset:path': 'asset.1',
            'aws:asset:property': 'Code',
            'aws:asset:is-bundled': true,
          },
        },
        Built: { ...fn(), Metadata: { SkipBuild: false } },
      },
    });
    expect(functions).toMatchObject([
      { logicalId: 'Python', isComplete: true, codeUri: 'f/' },
      { logicalId: 'Node', foreign: { folder: 'f/' } },
      { logicalId: 'Cdk', isComplete: true, codeUri: 'asset.1' },
      { logicalId: 'Built', isComplete: false },
    ]);
    expect(functions[0]).not.toHaveProperty('foreign');
  });

  it("builds CloudFormation's own functions and layers from local content like SAM's", () => {
    const code = (Code: unknown, more: object = {}) => ({
      Type: 'AWS::Lambda::Function',
      Properties: { Code, Handler: 'app.handler', Runtime: 'python3.11', ...more },
    });
    const content = (Content: unknown) => ({ Type: 'AWS::Lambda::LayerVersion', Properties: { Content } });
    const { functions, layers } = read({
      Globals: { Function: { Runtime: 'python3.9', Layers: ['arn:x'] } },
      Resources: {
        Local: code('src/', { Layers: [{ Ref: 'Own' }, { Ref: 'Stored' }] }),
        Inline: code({ ZipFile: 'x' }),
        Stored1: code({ S3Bucket: 'b', S3Key: 'k' }),
        Image: code({ ImageUri: 'i' }, { PackageType: 'Image' }),
        Elsewhere: code('s3://b/k'),
        Own: content('layers/own'),
        Stored: content({ S3Bucket: 'b', S3Key: 'k' }),
      },
    });
    expect(layers.map(({ logicalId, contentUri }) => [logicalId, contentUri])).toEqual([
      ['Own', 'layers/own'],
    ]);
    // Globals are for SAM's own types.
    expect(functions).toMatchObject([
      {
        logicalId: 'Local',
        codeUri: 'src/',
        runtime: 'python3.11',
        layers: ['Own'],
        listed: ['Own', { name: 'Stored' }],
      },
    ]);
    expect(functions).toHaveLength(1);
  });

  it.each([
    ['explicit', 'src.orders', 'main.handler', 'x/', 'src/orders'],
    ['explicit', '', 'main.handler', 'x/', ''],
    ['auto', undefined, 'src.orders.main.handler', 'app/src/orders/', 'src/orders'],
    ['auto', undefined, 'main.handler', 'app/src/orders', ''],
    ['auto', undefined, 'src.orders.sub.main.handler', './src/orders', 'src/orders'],
  ])('puts code below its parent packages: %s %s, %s in %s', (mode, packages, handler, codeUri, parent) => {
    const BuildProperties = { ParentPackageMode: mode, ParentPackages: packages };
    const F = { ...fn({ Handler: handler, CodeUri: codeUri }), Metadata: { BuildProperties } };
    expect(read({ Resources: { F } }).functions[0]?.parent).toBe(parent);
  });
});
