// Loaded into Node functions of the embedded AWS: see execute_api_hosts.py.
const original = globalThis.fetch;

globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  const api = /^([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com$/.exec(url.hostname)?.[1];
  if (api === undefined) return original(input, init);
  const target = `${process.env.AWS_ENDPOINT_URL}/_aws/execute-api/${api}${url.pathname}${url.search}`;
  return original(input instanceof Request ? new Request(target, input) : target, init);
};
