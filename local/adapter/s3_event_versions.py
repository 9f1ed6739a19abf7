"""On AWS an event that S3 sends to EventBridge names the version of the object, `version-id`, where its bucket keeps versions
(docs.aws.amazon.com/AmazonS3: EventBridge event message structure). MiniStack leaves it out.
"""

import contextvars
import json

of_this_event = contextvars.ContextVar("version of this event", default=None)


def install():
    from ministack.services import eventbridge, s3

    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event

    def fire_with_version(*args, version_id=None, **others):
        token = of_this_event.set(version_id)
        try:
            fire(*args, version_id=version_id, **others)
        finally:
            of_this_event.reset(token)

    def dispatch_with_version(event, *rest):
        version = of_this_event.get()
        if version is None or event.get("Source") != "aws.s3":
            return dispatch(event, *rest)
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        return dispatch({**event, "Detail": json.dumps(detail)}, *rest)

    s3._fire_s3_event = fire_with_version
    eventbridge._dispatch_event = dispatch_with_version
