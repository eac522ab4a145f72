"""Close's own Python SDK, `closeio`, against the fake Close.

Only the base address and the API key are given. Close has neither upsert nor batch; the SDK itself waits and tries again
when it is throttled or meets a 503.
"""

import logging

from closeio_api import API, APIError, ValidationError

from checks import Checks, holds, raised, same

checks = Checks()
check = checks.check
api = API(f"{checks.base_url}/api/v1/", api_key=checks.token)
made = {}


class Heard(logging.Handler):
    """Keeps what the SDK says about its own waits."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())

    def about(self, word):
        return [line for line in self.said if word in line]


heard = Heard()
logging.getLogger().addHandler(heard)
logging.getLogger().setLevel(logging.DEBUG)
logging.getLogger("urllib3").setLevel(logging.WARNING)


def related(kind, field, value):
    """An advanced filter: contacts with a phone or e-mail address that is exactly this."""
    condition = {"type": "text", "mode": "exact_value", "value": value}
    named = {"type": "regular_field", "object_type": kind, "field_name": field}
    has = {
        "type": "has_related",
        "this_object_type": "contact",
        "related_object_type": kind,
        "related_query": {"type": "field_condition", "field": named, "condition": condition},
    }
    queries = [{"type": "object_type", "object_type": "contact"}, has]
    return {"query": {"type": "and", "queries": queries}, "_fields": {"contact": ["id", "lead_id", "name"]}, "_limit": 5}


@check("wrong credential")
def _():
    stranger = API(f"{checks.base_url}/api/v1/", api_key="api_of_nobody")
    error = raised(APIError, lambda: stranger.get("me"))
    same(error.response.status_code, 401, "status")
    holds(error.response.json()["error"], "the body has no error text")


@check("credential known")
def _():
    holds(api.get("me")["organizations"][0]["id"], "no organisation")


@check("custom field made")
def _():
    made["key"] = api.post("custom_field/contact", {"name": "Conformance key", "type": "text"})["id"]
    listed = api.get("custom_field/contact")["data"]
    holds(made["key"] in [one["id"] for one in listed], "the field isn't listed")


@check("create")
def _():
    lead = api.post("lead", {"name": "Brookvale Joinery", "contacts": [{"name": "Sanna Ruud"}]})
    made["lead"] = lead["id"]
    same([one["name"] for one in lead["contacts"]], ["Sanna Ruud"], "contacts of the lead")
    contact = api.post(
        "contact",
        {
            "lead_id": lead["id"],
            "name": "Teo Lindqvist",
            "emails": [{"email": "teo.lindqvist@example.com", "type": "office"}],
            "phones": [{"phone": "+12025550143", "type": "mobile"}],
            f"custom.{made['key']}": "close-1",
        },
    )
    made["contact"] = contact["id"]
    same((contact["lead_id"], contact["name"]), (lead["id"], "Teo Lindqvist"), "contact")
    same(contact["phones"][0]["phone"], "+12025550143", "phone")


@check("find by id")
def _():
    contact = api.get(f"contact/{made['contact']}")
    same((contact["id"], contact[f"custom.{made['key']}"]), (made["contact"], "close-1"), "contact")


@check("list, page by page")
def _():
    first = api.get("contact", params={"_limit": 40, "_fields": "id,emails"})
    second = api.get("contact", params={"_limit": 40, "_skip": 40, "_fields": "id,emails"})
    same((first["has_more"], len(first["data"])), (True, 40), "first page")
    ids = [one["id"] for one in first["data"] + second["data"]]
    same(len(set(ids)), len(ids), "different ids")
    addressed = (one for one in second["data"] if one["emails"])
    made["seeded"] = next(addressed)


@check("find by e-mail address")
def _():
    email = made["seeded"]["emails"][0]["email"]
    found = api.post("data/search", related("contact_email", "email", email))
    same([one["id"] for one in found["data"]], [made["seeded"]["id"]], "found")
    same((found["data"][0]["__object_type"], found["cursor"]), ("contact", None), "shape")


@check("update")
def _():
    changed = api.put(f"contact/{made['contact']}", {"title": "Yard foreman"})
    same((changed["title"], changed["name"]), ("Yard foreman", "Teo Lindqvist"), "contact")
    same(len(changed["emails"]), 1, "addresses, which weren't named")


@check("call logged on a lead")
def _():
    call = {
        "lead_id": made["lead"],
        "contact_id": made["contact"],
        "direction": "inbound",
        "status": "completed",
        "duration": 61,
        "phone": "+12025550143",
        "note_html": "<p>Asked about delivery</p>",
    }
    logged = api.post("activity/call", call)
    same((logged["_type"], logged["duration"]), ("Call", 61), "call")
    listed = api.get("activity/call", params={"lead_id": made["lead"]})["data"]
    same([one["id"] for one in listed], [logged["id"]], "calls of the lead")


@check("deal and its stages")
def _():
    pipeline = api.get("pipeline")["data"][0]
    stages = [one["id"] for one in pipeline["statuses"]]
    deal = api.post("opportunity", {"lead_id": made["lead"], "status_id": stages[0], "value": 125000})
    moved = api.put(f"opportunity/{deal['id']}", {"status_id": stages[1]})
    same((moved["status_id"], moved["value"]), (stages[1], 125000), "opportunity")


@check("error: a field is wrong")
def _():
    error = raised(ValidationError, lambda: api.post("contact", {"name": "X", "emails": [{"email": "no address"}]}))
    same(error.response.status_code, 400, "status")
    holds("emails" in error.field_errors, f"field_errors doesn't name the field: {error.field_errors!r}")
    same(error.errors, [], "errors")


@check("error: no such record")
def _():
    error = raised(APIError, lambda: api.get("contact/cont_nobody"))
    same(error.response.status_code, 404, "status")


@check("throttled: the SDK waits as told")
def _():
    note = api.post("activity/note", {"lead_id": made["lead"], "note": "Prefers mornings"})
    same(len(heard.about("rate limited")), 1, "times the SDK was throttled")
    listed = api.get("activity/note", params={"lead_id": made["lead"]})["data"]
    same([one["id"] for one in listed], [note["id"]], "notes: one, though it was sent twice")


@check("503: the SDK tries again")
def _():
    task = {"_type": "lead", "lead_id": made["lead"], "text": "Send the drawings", "date": "2026-03-05"}
    id = api.post("task", task)["id"]
    same(len(heard.about("hit a 503")), 1, "times the SDK met a 503")
    listed = api.get("task", params={"lead_id": made["lead"]})["data"]
    same([one["id"] for one in listed], [id], "tasks: one, though it was sent twice")


@check("delete")
def _():
    api.delete(f"lead/{made['lead']}")
    error = raised(APIError, lambda: api.get(f"contact/{made['contact']}"))
    same(error.response.status_code, 404, "status of the lead's contact")


checks.end()
