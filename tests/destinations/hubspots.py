"""A fake HubSpot, after its guides and its OpenAPI description (data/README.md).

Its search does not know what was made less than `lag` ago, as HubSpot's does not for "a few
moments" (developers.hubspot.com/docs/api/crm/search).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pbx_bridge.core import number
from tests.destinations.office import TOKEN, FakeCrm, body, told
from tests.gateways.fakes import Answer, Request


@dataclass
class FakeHubSpot(FakeCrm):
    lag: timedelta = timedelta(0)
    unique_property: str = ""
    born: dict[str, datetime] = field(default_factory=dict)

    kind = "hubspot"

    def settings(self, url: str) -> dict[str, Any]:
        return {"type": "hubspot", "token": TOKEN, "base_url": url}

    def know(self, phone: str, name: str = "Ann Lee", status: str = "customer") -> str:
        first, _, last = name.partition(" ")
        properties = {"firstname": first, "lastname": last, "phone": phone}
        self.people.append(
            {"id": self.new_id(), "properties": properties | {"lifecyclestage": status}}
        )
        made: str = self.people[-1]["id"]
        return made

    def of_whom(self) -> list[str]:
        return [entry["associations"][0]["to"]["id"] for entry in self.entries]

    def is_write(self, request: Request) -> bool:
        return request.method == "POST" and not request.path.endswith("/search")

    def serve(self, request: Request, path: str) -> Answer:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return told(401, {"category": "INVALID_AUTHENTICATION", "message": "no"})
        _, _, _, _, kind, *rest = path.split("/")
        records = self.people if kind == "contacts" else self.of_kind(kind)
        if request.method == "GET":
            wanted = rest[0]
            there = [one for one in records if self.unique(one) == wanted]
            if request.query().get("idProperty") != self.unique_property or not there:
                return told(404, {"category": "OBJECT_NOT_FOUND", "message": "none"})
            return told(200, self.shown(there[0]))
        if rest == ["search"]:
            return self.search(body(request), records)
        return self.create(kind, body(request))

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.entries if one["kind"] == kind]

    def unique(self, record: dict[str, Any]) -> object:
        return record["properties"].get(self.unique_property)

    def create(self, kind: str, made: dict[str, Any]) -> Answer:
        record = {"id": self.new_id(), "kind": kind, **made}
        there = self.people if kind == "contacts" else self.of_kind(kind)
        taken = [self.unique(one) for one in there] if kind != "contacts" else []
        if self.unique_property and self.unique(record) in taken:
            return told(409, {"category": "CONFLICT", "message": "already has that value"})
        (self.people if kind == "contacts" else self.entries).append(record)
        self.born[record["id"]] = self.clock()
        return told(201, self.shown(record))

    def search(self, asked: dict[str, Any], records: list[dict[str, Any]]) -> Answer:
        groups = asked.get("filterGroups", [])
        assert len(groups) <= 5
        found = [
            record
            for record in records
            if self.clock()
            - self.born.get(record["id"], datetime.min.replace(tzinfo=self.clock().tzinfo))
            >= self.lag
            and (not groups or any(all(_fits(f, record) for f in g["filters"]) for g in groups))
        ]
        shown = found[: asked.get("limit", 10)]
        return told(200, {"total": len(found), "results": list(map(self.shown, shown))})

    def shown(self, record: dict[str, Any]) -> dict[str, Any]:
        times = dict.fromkeys(("createdAt", "updatedAt"), "2026-11-23T17:00:00Z")
        return {"id": record["id"], "properties": record["properties"], "archived": False} | times


def _fits(one: dict[str, Any], record: dict[str, Any]) -> bool:
    properties, name = record["properties"], one["propertyName"]
    if name.startswith("hs_searchable_calculated_"):
        written = properties.get("phone" if "phone_number" in name else "mobilephone", "")
        parsed = number.parse(written, "US")
        digits = parsed.national if parsed else "".join(filter(str.isdigit, written))
        return bool(digits) and digits == one["value"]
    if one["operator"] == "IN":
        return properties.get(name) in one["values"]
    assert one["operator"] == "EQ"
    return bool(properties.get(name) == one["value"])
