import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetLayerVersionByArnCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { InstallError, messageOf, UnreadableLayerError, UnsafeArchiveError } from '../../core/errors.ts';
import { LAMBDA_UNZIPPED_BYTES } from '../../core/size/limits.ts';

/**
 * How Lambda says that a layer version is not there, not ours to read, or not what its ARN should be (Lambda API reference,
 * GetLayerVersionByArn): a layer of another account that is shared with nobody here, one of another region, one that was deleted.
 */
const NOT_READABLE = [
  'AccessDeniedException',
  'InvalidParameterValueException',
  'ResourceNotFoundException',
  'ValidationException',
];

/** Lets no more than a layer's own size pass, and counts it. @throws UnsafeArchiveError */
function limited(arn: string, bytes: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > bytes)
        done(new UnsafeArchiveError(`${arn}: the zip is longer than the ${bytes} bytes that Lambda says`));
      else done(null, chunk);
    },
  });
}

/**
 * Fetches the zip of a layer version, whoever has built it: by ARN, as long as its policy lets this account read it.
 * @param zip where to put it
 * @returns SHA-256 of the zip, in hex
 * @throws UnreadableLayerError; UnsafeArchiveError where the zip is not what Lambda says of it; InstallError without network
 */
export async function readLayerVersion(lambda: LambdaClient, arn: string, zip: string): Promise<string> {
  const answer = await lambda.send(new GetLayerVersionByArnCommand({ Arn: arn })).catch((error: unknown) => {
    if (error instanceof Error && NOT_READABLE.includes(error.name))
      throw new UnreadableLayerError(`${arn}: ${error.name}: ${error.message}`);
    throw error;
  });
  const { Location, CodeSha256, CodeSize = 0 } = answer.Content ?? {};
  if (!Location || !CodeSha256)
    throw new UnreadableLayerError(`${arn}: Lambda does not say where its zip lies`);
  if (CodeSize > LAMBDA_UNZIPPED_BYTES)
    throw new UnsafeArchiveError(`${arn}: a zip of ${CodeSize} bytes is more than Lambda takes`);
  // A presigned address, good for ten minutes.
  const response = await fetch(Location).catch((error: Error) => {
    throw new InstallError(`${arn}: its zip cannot be fetched: ${messageOf(error.cause ?? error)}`);
  });
  if (!response.ok || !response.body)
    throw new InstallError(`${arn}: its zip cannot be fetched: HTTP ${response.status}`);
  const hash = createHash('sha256');
  await pipeline(
    Readable.fromWeb(response.body),
    limited(arn, CodeSize),
    async function* (chunks) {
      for await (const chunk of chunks) {
        hash.update(chunk as Buffer);
        yield chunk;
      }
    },
    createWriteStream(zip),
  );
  const digest = hash.digest();
  if (digest.toString('base64') !== CodeSha256)
    throw new UnsafeArchiveError(`${arn}: the zip has another SHA-256 than Lambda says`);
  return digest.toString('hex');
}
