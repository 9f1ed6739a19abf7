/** What a handler's failure says of where it runs, not of its code. */

/** Errors of botocore and of sockets where there is no account, no network, or nothing of that name (botocore/exceptions.py). */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [
    /NoCredentialsError|PartialCredentialsError|CredentialRetrievalError|NoAuthTokenError|TokenRetrievalError/,
    'credentials of an account',
  ],
  [/NoRegionError/, 'AWS_REGION'],
  [
    /EndpointConnectionError|ConnectTimeoutError|ConnectionClosedError|ConnectionError|gaierror|URLError|MaxRetryError|ReadTimeout/,
    'a network',
  ],
  [
    /AccessDenied|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|InvalidAccessKeyId|SignatureDoesNotMatch/,
    'rights in an account',
  ],
  [
    /ResourceNotFoundException|NoSuchBucket|NoSuchKey|QueueDoesNotExist|NonExistentQueue|ParameterNotFound|TableNotFound/,
    'a resource of the stack',
  ],
];

/**
 * Why an event that failed here is no evidence against the code, or the failure itself. Pure.
 * @param detail the error's class and words
 */
export function whyElsewhere(detail: string): string {
  const line = detail.split('\n')[0]?.slice(0, 200) ?? '';
  const need = ELSEWHERE.find(([pattern]) => pattern.test(detail))?.[1];
  return need === undefined ? `the handler raises ${line}` : `it needs ${need}, which is not here (${line})`;
}
