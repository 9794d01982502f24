"""The page of error reasons, from the comments of the contract's enum."""

from itertools import groupby

from comments import groups, reasons
from google.protobuf.descriptor_pb2 import FileDescriptorSet

_HEAD = """\
# Error reasons

<!-- `make gen` writes this page from proto/thequantcloud/v1/error_reason.proto. -->

An error has its reason in a `google.rpc.ErrorInfo`: over REST in `details` of the body, over gRPC
in the details of the status. The meaning of a reason never changes. New reasons may be added, so
expect unknown ones.
"""


def errors_page(contract: FileDescriptorSet) -> str:
    """Every reason with its status, cause and remedy, as Markdown."""
    meanings = groups(contract)
    parts = [_HEAD]
    for (status, code), group in groupby(reasons(contract), lambda each: (each.status, each.code)):
        meaning = meanings[code]
        parts.append(f"## {status} {code}\n\n{meaning[0].upper()}{meaning[1:]}\n")
        rows = [f"| `{each.name}` | {each.cause} | {each.remedy} |" for each in group]
        parts.append(
            "\n".join(["| reason | cause | remedy |", "| --- | --- | --- |", *rows]) + "\n"
        )
    return "\n".join(parts)
