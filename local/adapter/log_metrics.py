"""CloudWatch makes a metric of every embedded-metric-format line that a function logs
(docs.aws.amazon.com/AmazonCloudWatch: CloudWatch_Embedded_Metric_Format_Specification).
MiniStack keeps the line as text only.
"""

import json


def metrics_of(line):
    """Yields (namespace, name, value, unit, dimensions) of one log line; nothing where it is no EMF line."""
    if not line.startswith("{") or '"_aws"' not in line:
        return
    try:
        record = json.loads(line)
        directives = record["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(record.get(name, "")) for name in names}
            for metric in directive["Metrics"]:
                values = record.get(metric["Name"], [])
                for value in values if isinstance(values, list) else [values]:
                    yield directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions


def install():
    from ministack.services import cloudwatch, lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def emit_with_metrics(func, request_id, log_text, *args, **kwargs):
        emit(func, request_id, log_text, *args, **kwargs)
        for line in (log_text or "").splitlines():
            for namespace, name, value, unit, dimensions in metrics_of(line):
                cloudwatch.record_metric(namespace, name, value, unit, dimensions)

    lambda_svc._emit_lambda_logs = emit_with_metrics
