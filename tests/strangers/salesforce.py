"""simple-salesforce, as it comes from its registry, against the Salesforce sandbox.

The client builds its own addresses (https://login.salesforce.com, https://<instance>), so the session given to it
sends requests for those hosts to the sandbox; nothing of the client itself is changed. Environment as in
salesforce.mjs; REQUESTS_CA_BUNDLE for https.
"""

import base64
import os
import sys
import time
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceLogin, format_external_id, format_soql
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

LOGIN = os.environ["SANDBOX_LOGIN_URL"]
INSTANCE = os.environ["SANDBOX_INSTANCE_URL"]
KEY = os.environ["SANDBOX_CONSUMER_KEY"]
SECRET = os.environ["SANDBOX_CONSUMER_SECRET"]
USERNAME = os.environ["SANDBOX_USERNAME"]
KEY_FILE = os.environ["SANDBOX_KEY_FILE"]
RUN = format(int(time.time() * 1000), "x")


class ToSandbox(HTTPAdapter):
    """Sends what is meant for Salesforce's hosts to the sandbox's two."""

    def send(self, request, **kwargs):
        parts = urlsplit(request.url)
        login = parts.hostname in ("login.salesforce.com", "test.salesforce.com")
        target = urlsplit(LOGIN if login else INSTANCE)
        request.url = urlunsplit((target.scheme, target.netloc, parts.path, parts.query, ""))
        return super().send(request, **kwargs)


def session():
    made = requests.Session()
    made.mount("https://", ToSandbox())
    return made


passed = failed = 0


def check(name):
    def run(work):
        global passed, failed
        try:
            work()
        except Exception as error:  # a check that breaks in any way has failed
            failed += 1
            print(f"FAIL  {name}: {type(error).__name__}: {error}")
        else:
            passed += 1
            print(f"ok    {name}")

    return run


def equal(what, value, wanted):
    if value != wanted:
        raise AssertionError(f"{what}: {value!r} instead of {wanted!r}")


def fails(error, work):
    try:
        work()
    except error as raised:
        return raised
    raise AssertionError(f"no {error.__name__}")


def admin(method, path, body=None):
    requests.request(method, f"{INSTANCE}/__sandbox/{path}", json=body, timeout=10).raise_for_status()


def logged_in():
    return Salesforce(
        username=USERNAME, consumer_key=KEY, privatekey_file=KEY_FILE, session=session(), version="66.0"
    )


sf = logged_in()
case = {}


@check("JWT bearer, with exp as a string, gives a session")
def _():
    equal("instance", sf.sf_instance, urlsplit(INSTANCE).netloc)


@check("a user who is not approved is refused")
def _():
    raised = fails(
        SalesforceAuthenticationFailed,
        lambda: SalesforceLogin(
            username="agent.alma@tieline-sandbox.example",
            consumer_key=KEY,
            privatekey_file=KEY_FILE,
            session=session(),
        ),
    )
    equal("code", raised.code, "invalid_grant")


@check("client credentials by HTTP Basic on the own domain")
def _():
    own = Salesforce(
        consumer_key=KEY, consumer_secret=SECRET, domain="acme.my", session=session(), version="66.0"
    )
    equal("contacts", own.query("SELECT COUNT() FROM Contact")["totalSize"] > 0, True)


@check("a wrong secret is refused")
def _():
    raised = fails(
        SalesforceAuthenticationFailed,
        lambda: Salesforce(consumer_key=KEY, consumer_secret="wrong", domain="acme.my", session=session()),
    )
    equal("code", raised.code, "invalid_client")


@check("a query with format_soql and a relationship")
def _():
    found = sf.query(
        format_soql(
            "SELECT Id, Account.Name FROM Contact WHERE Email = {}", "grace.okafor@okafor-sons.example"
        )
    )
    equal("account", found["records"][0]["Account"]["Name"], "Okafor & Sons")


@check("a quote in a value stays a value")
def _():
    hostile = "x' OR Name LIKE '%"
    equal("rows", sf.query(format_soql("SELECT Id FROM Contact WHERE Email = {}", hostile))["totalSize"], 0)


@check("query_all walks the pages")
def _():
    found = sf.query_all("SELECT Id FROM Contact", headers={"Sforce-Query-Options": "batchSize=200"})
    equal("rows", len(found["records"]), found["totalSize"])


@check("a search by phone")
def _():
    found = sf.search("FIND {4155550134} IN PHONE FIELDS RETURNING Contact(Id, Name)")
    equal("names", [r["Name"] for r in found["searchRecords"]], ["Tom Reyes"])


@check("quick_search over everything")
def _():
    equal("rows", len(sf.quick_search("Weißenfels")["searchRecords"]) >= 1, True)


@check("upsert answers 201, then 200, with one record")
def _():
    path = "Tieline_Key__c/" + f"py-{RUN}"
    equal("first", sf.Case.upsert(path, {"Subject": "One"}), 201)
    equal("again", sf.Case.upsert(path, {"Subject": "Two"}), 200)
    case["id"] = sf.Case.get_by_custom_id("Tieline_Key__c", f"py-{RUN}")["Id"]


@check("a key that needs percent-encoding")
def _():
    path = format_external_id("Tieline_Key__c", f"py {RUN} ä/+")
    equal("first", sf.Case.upsert(path, {"Subject": "One"}), 201)
    equal("again", sf.Case.upsert(path, {"Subject": "Two"}), 200)


@check("a body that repeats the key is refused")
def _():
    raised = fails(
        SalesforceMalformedRequest,
        lambda: sf.Case.upsert(f"Tieline_Key__c/py-{RUN}", {"Tieline_Key__c": f"py-{RUN}"}),
    )
    equal("code", raised.content[0]["errorCode"], "INVALID_FIELD")


@check("two records with one key answer 300 when the switch allows it")
def _():
    admin("PATCH", "switches", {"key_unique": False})
    try:
        sf.Case.create({"Tieline_Key__c": f"py-{RUN}"})
        fails(
            SalesforceMoreThanOneRecord,
            lambda: sf.Case.upsert(f"Tieline_Key__c/py-{RUN}", {"Subject": "x"}),
        )
    finally:
        admin("PATCH", "switches", {"key_unique": True})


@check("a file goes up as base64 and is linked")
def _():
    made = sf.ContentVersion.create(
        {
            "Title": "chat",
            "PathOnClient": "chat.txt",
            "VersionData": base64.b64encode("Grüße aus Wien".encode()).decode(),
            "FirstPublishLocationId": case["id"],
        }
    )
    equal("success", made["success"], True)
    links = sf.query(
        format_soql("SELECT ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId = {}", case["id"])
    )
    equal("title", links["records"][0]["ContentDocument"]["Title"], "chat")


@check("update answers 204, delete 204, then nothing is there")
def _():
    equal("update", sf.Case.update(case["id"], {"Subject": "Three"}), 204)
    gone = sf.Case.create({"Subject": "gone"})["id"]
    equal("delete", sf.Case.delete(gone), 204)
    fails(SalesforceResourceNotFound, lambda: sf.Case.get(gone))


@check("composite through restful")
def _():
    body = {
        "allOrNone": True,
        "compositeRequest": [
            {
                "method": "POST",
                "url": "/services/data/v66.0/sobjects/Case",
                "referenceId": "c",
                "body": {"Subject": "C"},
            }
        ],
    }
    done = sf.restful("composite", method="POST", json=body)
    equal("status", done["compositeResponse"][0]["httpStatusCode"], 201)


@check("limits and describe")
def _():
    equal("daily", sf.limits()["DailyApiRequests"]["Max"], 15000)
    key = next(f for f in sf.Case.describe()["fields"] if f["name"] == "Tieline_Key__c")
    equal("flags", (key["externalId"], key["unique"]), (True, True))


@check("a dead token is an expired session for a client that cannot refresh")
def _():
    bare = Salesforce(
        session_id="dead", instance=urlsplit(INSTANCE).netloc, session=session(), version="66.0"
    )
    raised = fails(SalesforceExpiredSession, lambda: bare.query("SELECT Id FROM Case"))
    equal("code", raised.content[0]["errorCode"], "INVALID_SESSION_ID")


@check("a dead token is refreshed once by a client that can")
def _():
    before = sf.session_id
    admin("POST", "tokens/kill")
    equal("leads", sf.query("SELECT COUNT() FROM Lead")["totalSize"] > 0, True)
    equal("new token", sf.session_id != before, True)


@check("the limits header is understood")
def _():
    equal("limit", sf.api_usage["api-usage"].total, 15000)


print(f"{passed} passed, {failed} failed")
sys.exit(0 if failed == 0 and passed > 0 else 1)
