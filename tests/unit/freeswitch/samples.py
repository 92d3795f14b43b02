"""Events as a node sends them, with only the headers that say something; values are those of real calls."""

from __future__ import annotations

from typing import Any

START_US = 1_795_416_229_254_216
CORE = "ddc13488-8ca0-4d7f-b626-2c26981ac8b0"
CALL = "97101b5b-e317-4272-a99d-7af395b5925f"
DIALER = "d0192f3a4b5c6"


def channel(name: str, **variables: str) -> dict[str, Any]:
    """A CHANNEL_* event of the sample call; keyword `x` becomes the header `variable_x`."""
    event = {
        "Event-Name": name,
        "Core-UUID": CORE,
        "Event-Date-Timestamp": str(START_US + 5_540_060),
        "Unique-ID": CALL,
        "Caller-Destination-Number": "15550000",
        "variable_dialer_id": DIALER,
        "variable_sip_gateway_name": "carrier",
    }
    return event | {f"variable_{key}": value for key, value in variables.items()}


def hangup(cause: str, q850: int, **variables: str) -> dict[str, Any]:
    """A CHANNEL_HANGUP_COMPLETE of a call that never rang, unless the variables say so."""
    never = {
        f"{moment}_{unit}": "0"
        for moment in ("answer", "progress", "progress_media")
        for unit in ("epoch", "uepoch")
    }
    defaults = {
        "hangup_cause": cause,
        "hangup_cause_q850": str(q850),
        "start_uepoch": str(START_US),
        "end_uepoch": str(START_US + 5_540_060),
        "billsec": "0",
        "billmsec": "0",
        "mduration": "5540",
    }
    return channel("CHANNEL_HANGUP_COMPLETE", **(never | defaults | variables)) | {"Hangup-Cause": cause}


def at(moment: str, after_ms: int) -> dict[str, str]:
    """The two variables that say that `moment` came `after_ms` after the start."""
    us = START_US + after_ms * 1000
    return {f"{moment}_uepoch": str(us), f"{moment}_epoch": str(us // 1_000_000)}


def job(job_uuid: str, body: str) -> dict[str, Any]:
    """A BACKGROUND_JOB with its body as the JSON format carries it."""
    return {
        "Event-Name": "BACKGROUND_JOB",
        "Core-UUID": CORE,
        "Event-Date-Timestamp": str(START_US),
        "Job-UUID": job_uuid,
        "Job-Command": "originate",
        "_body": body,
    }
