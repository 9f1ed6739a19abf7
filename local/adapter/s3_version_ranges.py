"""On AWS a GetObject with versionId and Range answers 206 with the range of that version, like one without versionId
(docs.aws.amazon.com/AmazonS3: API_GetObject). MiniStack answers 200 with the whole version.
"""


def install():
    from ministack.services import s3

    get_object = s3._get_object

    def get_object_range(bucket_name, key, headers, query_params=None, *rest):
        status, answer_headers, body = answer = get_object(bucket_name, key, headers, query_params, *rest)
        wanted = headers.get("range", "")
        if status != 200 or not wanted or not s3._qp(query_params or {}, "versionId"):
            return answer
        found = s3._parse_range(wanted, len(body))
        if found is None:
            error = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, error, s3._xml_body(s3._range_error_xml(bucket_name, key))
        start, end = found
        # A checksum of the whole does not fit a part of it.
        kept = {name: value for name, value in answer_headers.items() if not name.lower().startswith("x-amz-checksum-")}
        part = body[start : end + 1]
        return 206, {**kept, "Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(body)}"}, part

    s3._get_object = get_object_range
