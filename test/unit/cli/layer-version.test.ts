import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LambdaClient, LambdaServiceException } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLayerVersion } from '../../../cli/steps/layer-version.ts';
import { UnreadableLayerError } from '../../../core/errors.ts';
import { answering } from '../../support/answering.ts';

const ARN = 'arn:aws:lambda:us-east-1:017000801446:layer:Tools:7';
const ZIP = Buffer.from('the bytes of a zip');
const CodeSha256 = createHash('sha256').update(ZIP).digest('base64');

describe('a layer version of others', () => {
  let server: Server;
  let folder: string;
  let Location: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layer-version-'));
    server = createServer((request, response) => {
      response.statusCode = request.url === '/layer' ? 200 : 403;
      response.end(ZIP);
    }).listen(0);
    Location = `http://127.0.0.1:${(server.address() as AddressInfo).port}/layer`;
  });
  afterAll(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  const zip = () => join(folder, 'layer.zip');
  const lambda = (act: () => unknown) =>
    answering(new LambdaClient({ region: 'us-east-1' }), (call, input) => {
      expect([call, input]).toEqual(['GetLayerVersionByArn', { Arn: ARN }]);
      return act();
    }).client;
  const read = (Content: Record<string, unknown>) =>
    readLayerVersion(
      lambda(() => ({ Content })),
      ARN,
      zip(),
    );
  const failing = (name: string, $fault: 'client' | 'server') =>
    lambda(() => {
      throw new LambdaServiceException({ name, message: 'not yours', $fault, $metadata: {} });
    });

  it('is fetched from where Lambda says, and is what Lambda says', async () => {
    expect(await read({ Location, CodeSha256, CodeSize: ZIP.length })).toBe(
      Buffer.from(CodeSha256, 'base64').toString('hex'),
    );
    expect(await readFile(zip())).toEqual(ZIP);
  });

  it.each([
    ['another hash', { CodeSha256: 'AAAA' }, 'another SHA-256'],
    ['more bytes', { CodeSize: 3 }, 'longer than the 3 bytes'],
    ['more than Lambda takes', { CodeSize: 300_000_000 }, 'more than Lambda takes'],
  ])('with %s is refused', async (_what, differs, message) => {
    await expect(read({ Location, CodeSha256, CodeSize: ZIP.length, ...differs })).rejects.toThrow(message);
  });

  it('is refused where its zip cannot be fetched', async () => {
    await expect(read({ Location: `${Location}/gone`, CodeSha256, CodeSize: ZIP.length })).rejects.toThrow(
      'HTTP 403',
    );
  });

  it.each(['AccessDeniedException', 'ResourceNotFoundException', 'InvalidParameterValueException'])(
    'cannot be read where Lambda answers %s',
    async (name) => {
      await expect(readLayerVersion(failing(name, 'client'), ARN, zip())).rejects.toThrow(
        new UnreadableLayerError(`${ARN}: ${name}: not yours`),
      );
    },
  );

  it('fails where Lambda fails', async () => {
    await expect(readLayerVersion(failing('ServiceException', 'server'), ARN, zip())).rejects.toThrow(
      LambdaServiceException,
    );
  });
});
