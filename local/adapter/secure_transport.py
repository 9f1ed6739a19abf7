"""On AWS requests come over TLS, so aws:SecureTransport is true and a bucket policy that refuses plain HTTP lets them by
(docs.aws.amazon.com/IAM: reference_policies_condition-keys, aws:SecureTransport).
MiniStack listens on plain HTTP, here on the loopback interface only, and so every such policy would refuse everything.
"""


def install():
    from ministack.core import iam_evaluator

    resolve = iam_evaluator._resolve_condition_key

    def resolve_as_over_tls(key, context):
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve_as_over_tls
