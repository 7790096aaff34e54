"""A fake Zoho CRM, after its OpenAPI description (data/README.md) and its documentation.

That is zoho.com/crm/developer/docs: api/v8/refresh.html for tokens, api/v8/get-notes.html for the
notes of a record.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from tests.destinations.office import SECRET, TOKEN, FakeCrm, body, has_one, strings, told
from tests.gateways.fakes import Answer, Request

API = "/crm/v8/"


@dataclass
class FakeZoho(FakeCrm):
    old: int = 0  #: tokens up to this one are no longer taken
    unique_field: str = ""

    kind = "zoho"

    def settings(self, url: str) -> dict[str, Any]:
        return {
            "type": "zoho",
            "accounts_url": url,
            "api_url": url,
            "client_id": "1000.APP",
            "client_secret": SECRET,
            "refresh_token": "1000." + SECRET,
        }

    def know(self, phone: str, name: str = "Ann Lee", status: str = "customer") -> str:
        record = {"kind": "Contacts", "id": self.new_id(), "Full_Name": name, "Phone": phone}
        self.people.append(record | {"Account_Name.Account_Type": status})
        made: str = self.people[-1]["id"]
        return made

    def of_whom(self) -> list[str]:
        whom = ("Who_Id", "What_Id", "Parent_Id")
        return [next(entry[name]["id"] for name in whom if name in entry) for entry in self.entries]

    def is_write(self, request: Request) -> bool:
        return (
            request.method == "POST"
            and not request.path.endswith("/coql")
            and request.path.startswith(API)
        )

    def serve(self, request: Request, path: str) -> Answer:
        if path == "/oauth/v2/token":
            return self.give(request)
        given = request.headers.get("authorization", "").removeprefix(f"Zoho-oauthtoken {TOKEN}-")
        if not given.isdigit() or not self.old < int(given) <= self.tokens:
            return told(401, {"code": "INVALID_TOKEN", "message": "invalid oauth token"})
        match path.removeprefix(API).split("/"):
            case ["coql"]:
                return self.query(body(request)["select_query"])
            case [_, person, "Notes"]:
                notes = [one for one in self.of_kind("Notes") if one["Parent_Id"]["id"] == person]
                return _listed(notes)
            case [module]:
                return self.create(module, body(request)["data"])
            case _:
                return told(404, {"code": "INVALID_URL_PATTERN", "message": "no"})

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.entries if one["kind"] == kind]

    def give(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form["refresh_token"] != f"1000.{SECRET}":
            return told(200, {"error": "invalid_code"})  # with 200, as Zoho does
        self.tokens += 1
        given = {"access_token": f"{TOKEN}-{self.tokens}", "api_domain": "https://example.com"}
        return told(200, given | {"token_type": "Bearer", "expires_in": 3600})

    def query(self, asked: str) -> Answer:
        found = re.fullmatch(
            r"select [\w., ]+ from (\w+) where (.+?)(?: order by id asc)? limit \d+", asked
        )
        assert found, asked
        kind, condition = found.groups()
        values = strings(condition)
        if kind == "Calls" and values:
            begin, end = map(datetime.fromisoformat, values)
            calls = self.of_kind("Calls")
            at = datetime.fromisoformat
            return _listed([one for one in calls if begin <= at(one["Call_Start_Time"]) <= end])
        records = self.of_kind(kind) + [one for one in self.people if one["kind"] == kind]
        return _listed([one for one in records if not values or has_one(one, values)])

    def create(self, module: str, records: list[dict[str, Any]]) -> Answer:
        (fields,) = records
        required = _REQUIRED[module]
        if missing := [one for one in required if not fields.get(one)]:
            details = {"api_name": missing[0], "json_path": f"$.data[0].{missing[0]}"}
            problem = {"code": "MANDATORY_NOT_FOUND", "message": "required field not found"}
            return told(400, {"data": [problem | {"details": details, "status": "error"}]})
        if len(fields.get("Note_Title", "")) > 120:
            return told(400, {"data": [{"code": "INVALID_DATA", "message": "too long"}]})
        for there in self.of_kind(module):
            if (
                self.unique_field in fields
                and there[self.unique_field] == fields[self.unique_field]
            ):
                details = {"api_name": self.unique_field, "id": there["id"]}
                problem = {"code": "DUPLICATE_DATA", "message": "duplicate data"}
                return told(400, {"data": [problem | {"details": details, "status": "error"}]})
        record = {"kind": module, "id": self.new_id(), **fields}
        record |= {"Full_Name": fields["Last_Name"]} if "Last_Name" in fields else {}
        (self.entries if module in ("Calls", "Notes") else self.people).append(record)
        made = {"code": "SUCCESS", "message": "record added", "status": "success"}
        return told(201, {"data": [made | {"details": {"id": record["id"]}}]})


_REQUIRED = {
    "Contacts": ["Last_Name"],
    "Leads": ["Last_Name"],
    "Calls": ["Subject", "Call_Type", "Call_Start_Time"],
    "Notes": ["Note_Content", "Parent_Id"],
}


def _listed(records: list[dict[str, Any]]) -> Answer:
    if not records:
        return told(204)
    return told(200, {"data": records, "info": {"count": len(records), "more_records": False}})
