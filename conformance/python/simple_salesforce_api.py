"""`simple-salesforce`, the usual Python client, against the fake Salesforce.

The client always says https and takes a session of the caller's: ours hands whatever it sends to the fake, over plain HTTP.
Nothing else is changed. It doesn't retry.
"""

from urllib.parse import urlsplit

import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from checks import Checks, holds, raised, same

checks = Checks()
check = checks.check
KEY = "Conformance_Key__c"
made = {}


class ToTheFake(requests.adapters.HTTPAdapter):
    """Sends every request to the fake, whatever its host."""

    def send(self, request, **options):
        target = urlsplit(request.url)
        request.url = checks.base_url + target.path + (f"?{target.query}" if target.query else "")
        return super().send(request, **options)


def session():
    made = requests.Session()
    made.mount("https://", ToTheFake())
    return made


def org(token):
    url = "https://conformance.my.salesforce.com"
    return Salesforce(instance_url=url, session_id=token, session=session(), version="62.0")


sf = org(checks.token)


@check("wrong credential")
def _():
    error = raised(SalesforceExpiredSession, lambda: org("00Dnobody!x").query("SELECT Id FROM Contact LIMIT 1"))
    same((error.status, error.content[0]["errorCode"]), (401, "INVALID_SESSION_ID"), "refusal")


@check("access token by client credentials")
def _():
    def login(secret):
        return Salesforce(
            consumer_key="sim-client", consumer_secret=secret, domain="conformance.my", session=session(), version="62.0"
        )

    renewed = login("sim-secret")
    same(renewed.sf_instance, urlsplit(checks.base_url).netloc, "instance")
    same(len(renewed.query("SELECT Id FROM Contact LIMIT 2")["records"]), 2, "contacts")
    error = raised(SalesforceAuthenticationFailed, lambda: login("secret-of-nobody"))
    holds(str(error.code).startswith("invalid_client"), f"code of another secret: {error.code!r}")


@check("external id made")
def _():
    about = {"type": "Text", "label": "Conformance key", "length": 80, "externalId": True, "unique": True}
    answer = sf.toolingexecute(
        "sobjects/CustomField", method="POST", data={"FullName": f"Contact.{KEY}", "Metadata": about}
    )
    same(answer["success"], True, "success")
    fields = {field["name"]: field for field in sf.Contact.describe()["fields"]}
    same((fields[KEY]["externalId"], fields[KEY]["unique"], fields[KEY]["type"]), (True, True, "string"), "field")


@check("create")
def _():
    answer = sf.Contact.create({"FirstName": "Ilmar", "LastName": "Sandell", "Email": "ilmar.sandell@example.com"})
    same((answer["success"], answer["errors"], len(answer["id"])), (True, [], 18), "answer")
    made["contact"] = answer["id"]


@check("find by id")
def _():
    contact = sf.Contact.get(made["contact"])
    same((contact["attributes"]["type"], contact["LastName"]), ("Contact", "Sandell"), "contact")


@check("usage told in a header")
def _():
    usage = sf.api_usage["api-usage"]
    holds(0 < usage.used < usage.total, f"usage: {usage!r}")
    holds(sf.limits()["DailyApiRequests"]["Max"] == usage.total, "limits and header differ")


@check("query, page by page")
def _():
    first = sf.query("SELECT Id, Email FROM Contact", headers={"Sforce-Query-Options": "batchSize=200"})
    same((first["done"], len(first["records"])), (False, 200), "first page")
    everybody = list(first["records"])
    page = first
    while not page["done"]:
        page = sf.query_more(page["nextRecordsUrl"], identifier_is_url=True)
        everybody += page["records"]
    same((len(everybody), len({one["Id"] for one in everybody})), (first["totalSize"],) * 2, "records")
    made["seeded"] = next(one for one in everybody if one["Email"] and one["Id"] != made["contact"])


@check("find by e-mail address")
def _():
    found = sf.query(f"SELECT Id FROM Contact WHERE Email = '{made['seeded']['Email']}'")
    same([one["Id"] for one in found["records"]], [made["seeded"]["Id"]], "found")


@check("search by phone")
def _():
    phone = sf.Contact.get(made["seeded"]["Id"])["Phone"]
    asked = {"q": phone, "in": "PHONE", "sobject": "Contact", "Contact.fields": "Id,Phone"}
    found = sf.restful("parameterizedSearch", params=asked)
    same([one["Id"] for one in found["searchRecords"]], [made["seeded"]["Id"]], "found")


@check("update")
def _():
    same(sf.Contact.update(made["contact"], {"Title": "Quarry manager"}), 204, "status")
    same(sf.Contact.get(made["contact"])["Title"], "Quarry manager", "title")


@check("upsert by external id")
def _():
    def upserted(title):
        answer = sf.Contact.upsert(f"{KEY}/sf-1", {"LastName": "Voss", "Title": title}, raw_response=True)
        return answer.status_code, answer.json()

    (first, one), (second, other) = upserted("Surveyor"), upserted("Planner")
    same((first, one["created"], second, other["created"]), (201, True, 200, False), "upserts")
    same(other["id"], one["id"], "id")
    same(sf.Contact.get_by_custom_id(KEY, "sf-1")["Title"], "Planner", "title")


@check("collection with one bad record")
def _():
    records = [
        {"attributes": {"type": "Contact"}, "LastName": "Aho", KEY: "sf-2"},
        {"attributes": {"type": "Contact"}, "FirstName": "Nameless"},
    ]
    answer = sf.restful("composite/sobjects", method="POST", json={"allOrNone": False, "records": records})
    same([one["success"] for one in answer], [True, False], "successes")
    same(answer[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING", "code")
    same(answer[1]["errors"][0]["fields"], ["LastName"], "fields")


@check("composite with a reference")
def _():
    contact = {"method": "POST", "referenceId": "who", "body": {"LastName": "Ekdal"}}
    contact["url"] = "/services/data/v62.0/sobjects/Contact"
    task = {"method": "POST", "referenceId": "call", "url": "/services/data/v62.0/sobjects/Task"}
    task["body"] = {"Subject": "Call", "TaskSubtype": "Call", "Status": "Completed", "WhoId": "@{who.id}"}
    answer = sf.restful(
        "composite", method="POST", json={"allOrNone": True, "compositeRequest": [contact, task]}
    )["compositeResponse"]
    same([one["httpStatusCode"] for one in answer], [201, 201], "statuses")
    who = answer[0]["body"]["id"]
    tasks = sf.query(f"SELECT Id FROM Task WHERE WhoId = '{who}'")["records"]
    same([one["Id"] for one in tasks], [answer[1]["body"]["id"]], "tasks of the contact")


@check("bulk upsert (Bulk API 2.0)")
def _():
    rows = [{"LastName": f"Bulk {n}", KEY: f"sf-bulk-{n}"} for n in range(3)]
    results = sf.bulk2.Contact.upsert(records=rows, external_id_field=KEY)
    same([one["numberRecordsProcessed"] for one in results], [3], "records processed")
    same([one["numberRecordsFailed"] for one in results], [0], "records failed")
    same(sf.Contact.get_by_custom_id(KEY, "sf-bulk-2")["LastName"], "Bulk 2", "last row")


@check("error: a required field is missing")
def _():
    error = raised(SalesforceMalformedRequest, lambda: sf.Contact.create({"FirstName": "Nameless"}))
    same((error.status, error.content[0]["errorCode"]), (400, "REQUIRED_FIELD_MISSING"), "refusal")
    same(error.content[0]["fields"], ["LastName"], "fields")


@check("error: no such field")
def _():
    error = raised(SalesforceMalformedRequest, lambda: sf.query("SELECT Id, Nope__c FROM Contact"))
    same((error.status, error.content[0]["errorCode"]), (400, "INVALID_FIELD"), "refusal")


@check("error: no such record")
def _():
    error = raised(SalesforceResourceNotFound, lambda: sf.Contact.get_by_custom_id(KEY, "sf-nobody"))
    same((error.status, error.content[0]["errorCode"]), (404, "NOT_FOUND"), "refusal")


@check("throttled: day")
def _():
    deal = {"Name": "Crane hire", "StageName": "Prospecting", "CloseDate": "2026-06-30"}
    error = raised(SalesforceRefusedRequest, lambda: sf.Opportunity.create(deal))
    same((error.status, error.content[0]["errorCode"]), (403, "REQUEST_LIMIT_EXCEEDED"), "refusal")
    holds(sf.Opportunity.create(deal)["success"], "the opportunity wasn't made afterwards")


@check("delete")
def _():
    same(sf.Contact.delete(made["contact"]), 204, "status")
    raised(SalesforceResourceNotFound, lambda: sf.Contact.get(made["contact"]))


checks.end()
