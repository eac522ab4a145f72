"""HubSpot's own Python SDK, `hubspot-api-client`, against the fake HubSpot.

Only `host` and the access token are given. The SDK doesn't retry by itself; whoever wants it to hands it a urllib3
`Retry`, which is tried too.
"""

import json
from datetime import datetime

from hubspot import HubSpot
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputForCreate,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    PublicObjectSearchRequest,
    SimplePublicObjectBatchInput,
    SimplePublicObjectBatchInputForCreate,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectId,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.contacts import exceptions as contact_errors
from hubspot.crm.deals import SimplePublicObjectInputForCreate as Deal
from hubspot.crm.deals import exceptions as deal_errors
from hubspot.crm.objects.calls import PublicObjectSearchRequest as CallSearch
from hubspot.crm.objects.calls import SimplePublicObjectInputForCreate as Call
from hubspot.crm.objects.calls import exceptions as call_errors
from hubspot.crm.objects.notes import SimplePublicObjectInputForCreate as Note
from hubspot.crm.objects.tasks import SimplePublicObjectInputForCreate as Task
from hubspot.crm.objects.tasks import exceptions as task_errors
from hubspot.crm.properties import PropertyCreate
from urllib3.util.retry import Retry

from checks import Checks, holds, raised, same

checks = Checks()
check = checks.check
client = HubSpot(access_token=checks.token, host=checks.base_url)
contacts = client.crm.contacts
KEY = "conformance_key"
CALL_TO_CONTACT = 194
made = {}


def contact(**properties):
    return SimplePublicObjectInputForCreate(properties=properties, associations=[])


def body(error):
    return json.loads(error.body)


@check("wrong credential")
def _():
    stranger = HubSpot(access_token="pat-of-nobody", host=checks.base_url)
    error = raised(contact_errors.UnauthorizedException, lambda: stranger.crm.contacts.basic_api.get_page())
    same(error.status, 401, "status")
    same(body(error)["category"], "INVALID_AUTHENTICATION", "category")
    holds(body(error)["correlationId"], "the body has no correlationId")


@check("access token by refresh token")
def _():
    answer = client.oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id="sim-client",
        client_secret="sim-secret",
        refresh_token="sim-refresh",
    )
    same((answer.token_type, answer.expires_in), ("bearer", 1800), "answer")
    renewed = HubSpot(access_token=answer.access_token, host=checks.base_url)
    same(len(renewed.crm.contacts.basic_api.get_page(limit=2).results), 2, "contacts")


@check("unique property made")
def _():
    wanted = PropertyCreate(
        name=KEY,
        label="Conformance key",
        type="string",
        field_type="text",
        group_name="contactinformation",
        has_unique_value=True,
    )
    client.crm.properties.core_api.create("contacts", wanted)
    kept = client.crm.properties.core_api.get_by_name("contacts", KEY)
    same((kept.name, kept.has_unique_value, kept.type), (KEY, True, "string"), "property")


@check("create")
def _():
    answer = contacts.basic_api.create(contact(firstname="Orla", email="orla.quist@example.com", **{KEY: "py-1"}))
    made["orla"] = answer.id
    same(answer.properties["email"], "orla.quist@example.com", "email")
    same(answer.archived, False, "archived")
    holds(isinstance(answer.created_at, datetime), f"created_at is no instant: {answer.created_at!r}")


@check("find by id")
def _():
    answer = contacts.basic_api.get_by_id(made["orla"], properties=["firstname", KEY])
    same((answer.id, answer.properties["firstname"]), (made["orla"], "Orla"), "contact")


@check("find by unique property")
def _():
    answer = contacts.basic_api.get_by_id("py-1", id_property=KEY)
    same(answer.id, made["orla"], "id")


@check("list, page by page")
def _():
    everybody = contacts.get_all(properties=["email"])
    ids = [one.id for one in everybody]
    holds(len(ids) > 100, f"{len(ids)} contacts: a second page was expected")
    same(len(set(ids)), len(ids), "different ids")
    made["seeded"] = next(one for one in everybody if one.properties["email"] and one.id != made["orla"])


@check("search")
def _():
    email = made["seeded"].properties["email"]
    asked = {"propertyName": "email", "operator": "EQ", "value": email}
    request = PublicObjectSearchRequest(filter_groups=[{"filters": [asked]}], properties=["email"], limit=10)
    answer = contacts.search_api.do_search(request)
    same((answer.total, [one.id for one in answer.results]), (1, [made["seeded"].id]), "found")


@check("update")
def _():
    change = SimplePublicObjectInput(properties={"lastname": "Quist-Varga"})
    contacts.basic_api.update(made["orla"], change)
    contacts.basic_api.update("py-1", SimplePublicObjectInput(properties={"city": "Turku"}), id_property=KEY)
    kept = contacts.basic_api.get_by_id(made["orla"], properties=["firstname", "lastname", "city"])
    names = [kept.properties[name] for name in ("firstname", "lastname", "city")]
    same(names, ["Orla", "Quist-Varga", "Turku"], "names")


@check("upsert")
def _():
    def upserted(city):
        one = SimplePublicObjectBatchInputUpsert(id="py-2", id_property=KEY, properties={"city": city})
        return contacts.batch_api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=[one])).results[0]

    first, second = upserted("Vaasa"), upserted("Oulu")
    same((first.new, second.new, second.id), (True, False, first.id), "upserts")
    same(second.properties["city"], "Oulu", "city")
    made["upserted"] = first.id


@check("batch create, read and update")
def _():
    inputs = [
        SimplePublicObjectBatchInputForCreate(
            properties={"firstname": "Batch", "email": f"batch.{n}@example.com"}, associations=[]
        )
        for n in range(3)
    ]
    answer = contacts.batch_api.create(BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs))
    same((answer.status, len(answer.results)), ("COMPLETE", 3), "created")
    ids = [one.id for one in answer.results]
    changes = [SimplePublicObjectBatchInput(id=id, properties={"city": "Pori"}) for id in ids]
    contacts.batch_api.update(BatchInputSimplePublicObjectBatchInput(inputs=changes))
    asked = BatchReadInputSimplePublicObjectId(
        inputs=[SimplePublicObjectId(id=id) for id in ids], properties=["city"], properties_with_history=[]
    )
    read = contacts.batch_api.read(asked)
    same(sorted(one.id for one in read.results), sorted(ids), "ids read")
    same({one.properties["city"] for one in read.results}, {"Pori"}, "cities")


@check("batch with one bad item")
def _():
    inputs = [
        SimplePublicObjectBatchInput(id=made["orla"], properties={"city": "Lahti"}, object_write_trace_id="good"),
        SimplePublicObjectBatchInput(id=made["upserted"], properties={"no_such": "x"}, object_write_trace_id="bad"),
    ]
    answer = contacts.batch_api.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs))
    same(type(answer).__name__, "BatchResponseSimplePublicObjectWithErrors", "type of a 207")
    same((answer.num_errors, [one.id for one in answer.results]), (1, [made["orla"]]), "outcome")
    same(answer.errors[0].category, "VALIDATION_ERROR", "category")
    same(answer.errors[0].context["objectWriteTraceId"], ["bad"], "trace id")


@check("error: unknown property")
def _():
    error = raised(contact_errors.ApiException, lambda: contacts.basic_api.create(contact(no_such="x")))
    same((error.status, body(error)["category"]), (400, "VALIDATION_ERROR"), "refusal")
    same(body(error)["errors"][0]["code"], "PROPERTY_DOESNT_EXIST", "code")


@check("error: contact exists")
def _():
    twice = contact(email="orla.quist@example.com")
    error = raised(contact_errors.ApiException, lambda: contacts.basic_api.create(twice))
    same((error.status, body(error)["category"]), (409, "CONFLICT"), "refusal")
    same(body(error)["message"], f"Contact already exists. Existing ID: {made['orla']}", "message")


@check("error: no such record")
def _():
    error = raised(contact_errors.NotFoundException, lambda: contacts.basic_api.get_by_id("999999999"))
    same((error.status, body(error)["category"]), (404, "OBJECT_NOT_FOUND"), "refusal")


@check("call logged on a contact")
def _():
    link = {
        "to": {"id": made["orla"]},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": CALL_TO_CONTACT}],
    }
    properties = {"hs_timestamp": "2026-03-02T09:30:00Z", "hs_call_title": "Renewal", "hs_call_duration": "61000"}
    call = client.crm.objects.calls.basic_api.create(Call(properties=properties, associations=[link]))
    read = client.crm.objects.calls.basic_api.get_by_id(call.id, associations=["contacts"])
    same([one.id for one in read.associations["contacts"].results], [made["orla"]], "contacts of the call")
    links = client.crm.associations.v4.basic_api.get_page("calls", call.id, "contacts")
    same([str(one.to_object_id) for one in links.results], [made["orla"]], "links of the call")


@check("owners and pipelines")
def _():
    owners = client.crm.owners.owners_api.get_page().results
    holds(all(one.id and one.email for one in owners) and owners, "owners without id or e-mail address")
    stages = client.crm.pipelines.pipelines_api.get_all("deals").results[0].stages
    holds(stages and all(one.id and one.label for one in stages), "stages without id or label")


@check("throttled: ten-second window")
def _():
    task = Task(properties={"hs_timestamp": "2026-03-02T10:00:00Z", "hs_task_subject": "Ring back"}, associations=[])
    error = raised(task_errors.ApiException, lambda: client.crm.objects.tasks.basic_api.create(task))
    same((error.status, body(error)["policyName"]), (429, "TEN_SECONDLY_ROLLING"), "refusal")
    same(error.headers["X-HubSpot-RateLimit-Interval-Milliseconds"], "10000", "window")
    holds(client.crm.objects.tasks.basic_api.create(task).id, "the task wasn't made afterwards")


@check("throttled: search")
def _():
    search = client.crm.objects.calls.search_api.do_search
    error = raised(call_errors.ApiException, lambda: search(CallSearch(limit=1)))
    same((error.status, body(error)["category"]), (429, "RATE_LIMITS"), "refusal")
    same(body(error)["message"], "You have reached your secondly limit.", "message")
    holds("policyName" not in body(error), "a search's refusal names a policy")


@check("throttled: day")
def _():
    deal = Deal(properties={"dealname": "Pump refit"}, associations=[])
    error = raised(deal_errors.ApiException, lambda: client.crm.deals.basic_api.create(deal))
    same((error.status, body(error)["policyName"]), (429, "DAILY"), "refusal")


@check("throttled, with the SDK's retry")
def _():
    retry = Retry(total=3, status_forcelist=[429], allowed_methods=None, backoff_factor=0.1, raise_on_status=False)
    patient = HubSpot(access_token=checks.token, host=checks.base_url, retry=retry)
    note = Note(properties={"hs_timestamp": "2026-03-02T11:00:00Z", "hs_note_body": "Asked for a quote"}, associations=[])
    answer, _, _ = patient.crm.objects.notes.basic_api.create_with_http_info(note)
    holds(answer.id, "the note has no id")
    kept = client.crm.objects.notes.basic_api.get_page(limit=10).results
    same([one.id for one in kept], [answer.id], "notes: one, though it was sent twice")


@check("archive")
def _():
    contacts.basic_api.archive(made["upserted"])
    raised(contact_errors.NotFoundException, lambda: contacts.basic_api.get_by_id(made["upserted"]))


checks.end()
