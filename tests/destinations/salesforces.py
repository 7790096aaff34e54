"""A fake Salesforce org, after its guides.

developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest: dome_query.htm,
dome_sobject_create.htm, dome_upsert.htm, errorcodes.htm; and
intro_understanding_refresh_token_oauth.htm for tokens.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tests.destinations.office import SECRET, TOKEN, FakeCrm, body, has_one, strings, told
from tests.gateways.fakes import Answer, Request

API = "/services/data/v62.0"


@dataclass
class FakeSalesforce(FakeCrm):
    url: str = ""
    old: int = 0  #: tokens up to this one are no longer taken

    kind = "salesforce"

    def settings(self, url: str) -> dict[str, Any]:
        self.url = url
        return {
            "type": "salesforce",
            "login_url": url,
            "client_id": "3MVG9.app",
            "client_secret": SECRET,
            "refresh_token": "refresh-" + SECRET,
        }

    def know(self, phone: str, name: str = "Ann Lee", status: str = "customer") -> str:
        record = {"kind": "Contact", "Id": "003" + self.new_id(), "Name": name, "Phone": phone}
        self.people.append(record | {"Account": {"Type": status}})
        made: str = self.people[-1]["Id"]
        return made

    def of_whom(self) -> list[str]:
        return [entry["WhoId"] for entry in self.entries]

    def is_write(self, request: Request) -> bool:
        return "/sobjects/" in request.path

    def serve(self, request: Request, path: str) -> Answer:
        if path == "/services/oauth2/token":
            return self.give(request)
        given = request.headers.get("authorization", "").removeprefix(f"Bearer {TOKEN}-")
        if not given.isdigit() or not self.old < int(given) <= self.tokens:
            return told(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}])
        if path == f"{API}/query":
            return self.query(request.query()["q"])
        kind, *rest = path.removeprefix(f"{API}/sobjects/").split("/")
        if request.method == "PATCH":
            return self.upsert(rest[0], rest[1], body(request))
        return self.create(kind, body(request))

    def give(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form["client_secret"] != SECRET or form["refresh_token"] != f"refresh-{SECRET}":
            return told(400, {"error": "invalid_grant", "error_description": "expired"})
        self.tokens += 1
        given = {"access_token": f"{TOKEN}-{self.tokens}", "instance_url": self.url}
        return told(200, given | {"token_type": "Bearer"})

    def query(self, asked: str) -> Answer:
        found = re.fullmatch(
            r"SELECT [\w., ]+ FROM (\w+)(?: WHERE (.+?))?(?: ORDER BY CreatedDate)? LIMIT \d+",
            asked,
        )
        assert found, asked
        kind, condition = found.groups()
        values = strings(condition or "")
        if kind == "Task":
            records = [one for one in self.entries if not condition or one["CallObject"] in values]
        else:
            records = [one for one in self.people if one["kind"] == kind]
            records = [one for one in records if not condition or has_one(one, values)]
        return told(200, {"totalSize": len(records), "done": True, "records": records})

    def create(self, kind: str, fields: dict[str, Any]) -> Answer:
        missing = [one for one in _REQUIRED[kind] if not fields.get(one)]
        if missing:
            problem = {"errorCode": "REQUIRED_FIELD_MISSING", "message": f"missing: {missing}"}
            return told(400, [problem])
        record = {"kind": kind, "Id": _PREFIX[kind] + self.new_id(), **fields}
        record |= {"Name": fields.get("LastName", "")} if kind != "Task" else {}
        (self.entries if kind == "Task" else self.people).append(record)
        return told(201, {"id": record["Id"], "success": True, "errors": []})

    def upsert(self, name: str, value: str, fields: dict[str, Any]) -> Answer:
        for entry in self.entries:
            if entry.get(name) == value:
                entry.update(fields)
                done = {"id": entry["Id"], "success": True, "errors": [], "created": False}
                return told(200, done)
        return self.create("Task", fields | {name: value})


_PREFIX = {"Contact": "003", "Lead": "00Q", "Task": "00T"}
_REQUIRED = {"Contact": ["LastName"], "Lead": ["LastName", "Company"], "Task": ["Status"]}
