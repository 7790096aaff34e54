"""Write messages.json: the part of Twilio's OpenAPI description that the gateway uses."""

import json
import sys
from pathlib import Path
from typing import Any

ACCOUNT = "/2010-04-01/Accounts/{Sid}.json"
MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
MESSAGE = "/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json"


def excerpt(whole: dict[str, Any]) -> dict[str, Any]:
    """Keep three paths, and the schemas to which they refer."""
    paths = {path: whole["paths"][path] for path in (ACCOUNT, MESSAGES, MESSAGE)}
    names: set[str] = set()
    _collect(paths, whole["components"]["schemas"], names)
    return {key: whole[key] for key in ("openapi", "info", "servers", "security")} | {
        "paths": paths,
        "components": {
            "schemas": {name: whole["components"]["schemas"][name] for name in sorted(names)},
            "securitySchemes": whole["components"]["securitySchemes"],
        },
    }


def _collect(part: Any, schemas: dict[str, Any], names: set[str]) -> None:
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).rpartition("/")[2]
        if name and name not in names:
            names.add(name)
            _collect(schemas[name], schemas, names)
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            _collect(item, schemas, names)


if __name__ == "__main__":
    found = excerpt(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    target = Path(__file__).with_name("messages.json")
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
