"""CDR files as mod_json_cdr leaves them in its `log-dir`: one JSON document for each call that had a channel."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import orjson

from simulator.calls import Call
from simulator.render import Renderer


class CdrFiles:
    """Writes `<uuid>.cdr.json` before HANGUP_COMPLETE, in the call's own time, as the module does."""

    def __init__(self, folder: Path, renderer: Renderer) -> None:
        self._folder = folder
        self._renderer = renderer
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, call: Call) -> None:
        """Write the document of a finished call."""
        name = quote(call.uuid, safe="", errors="surrogateescape")
        document = orjson.dumps(self.document(call)) + b"\n"
        (self._folder / f"{name}.cdr.json").write_bytes(document)

    def document(self, call: Call) -> dict[str, object]:
        """The call's variables under their plain names, and the frame a reader expects around them."""
        pairs = call.snapshot(self._renderer, "CHANNEL_HANGUP_COMPLETE")
        variables = {name[9:]: _text(value) for name, value in pairs if name.startswith("variable_")}
        fields = call.fields
        return {
            "core-uuid": self._renderer.node["core"],
            "switchname": self._renderer.node["switchname"],
            "channel_data": {"state": "CS_REPORTING", "direction": "outbound", "state_number": "11"},
            "variables": variables,
            "app_log": {
                "applications": [
                    {"app_name": name, "app_data": data} for name, data in call.applications or ()
                ]
            },
            "callflow": [
                {
                    "caller_profile": {
                        "caller_id_name": _text(fields["cid_name"]),
                        "caller_id_number": _text(fields["cid_number"]),
                        "destination_number": _text(call.number),
                        "uuid": _text(call.uuid),
                        "chan_name": _text(fields["channel"]),
                    },
                    "times": {
                        "created_time": fields["created"],
                        "progress_time": fields["progress"],
                        "progress_media_time": fields["progress_media"],
                        "answered_time": fields["answered"],
                        "hangup_time": fields["hangup"],
                    },
                }
            ],
        }


def _text(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
