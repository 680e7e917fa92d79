"""Microsoft's Dataverse client, azure-identity and MSAL, as they come from their registry, against the Dynamics sandbox.

Environment as in dynamics.mjs; REQUESTS_CA_BUNDLE, because all three speak to https only.
"""

import hashlib
import os
import re
import ssl
import sys
import time
import warnings

import msal
from azure.identity import CertificateCredential, ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem

warnings.simplefilter("ignore", DeprecationWarning)
AUTHORITY = os.environ["SANDBOX_AUTHORITY_URL"]
ORG = os.environ["SANDBOX_ORG_URL"]
TENANT = os.environ["SANDBOX_TENANT"]
CLIENT = os.environ["SANDBOX_CLIENT_ID"]
SECRET = os.environ["SANDBOX_CLIENT_SECRET"]
KEY_FILE = os.environ["SANDBOX_KEY_FILE"]
CERTIFICATE_FILE = os.environ["SANDBOX_CERTIFICATE_FILE"]
RUN = format(int(time.time() * 1000), "x")
SCOPE = ORG + "/.default"

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


def fails(work, status, code):
    try:
        work()
    except HttpError as raised:
        equal("error", (raised.status_code, code in str(raised.details) or code in str(raised)), (status, True))
        return
    raise AssertionError(f"no error, {status} {code} was expected")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def pem(folder):
    """Key and certificate in one file, as CertificateCredential wants them."""
    path = os.path.join(folder, "both.pem")
    with open(path, "w", encoding="ascii") as file:
        file.write(read(KEY_FILE) + read(CERTIFICATE_FILE))
    return path


HOW = {"authority": AUTHORITY, "disable_instance_discovery": True}
THUMBPRINT = hashlib.sha1(ssl.PEM_cert_to_DER_cert(read(CERTIFICATE_FILE))).hexdigest()


def by_msal(credential):
    app = msal.ConfidentialClientApplication(
        CLIENT, client_credential=credential, authority=f"{AUTHORITY}/{TENANT}", instance_discovery=False
    )
    return app.acquire_token_for_client(scopes=[SCOPE])


@check("MSAL: a secret gives a token")
def _():
    equal("type", by_msal(SECRET).get("token_type"), "Bearer")


@check("MSAL: a certificate gives a token (PS256, x5t#S256 padded, dates as floats)")
def _():
    got = by_msal({"private_key": read(KEY_FILE), "public_certificate": read(CERTIFICATE_FILE)})
    equal("type", (got.get("token_type"), got.get("error_description")), ("Bearer", None))


@check("MSAL: a SHA-1 thumbprint gives a token (RS256, x5t)")
def _():
    got = by_msal({"private_key": read(KEY_FILE), "thumbprint": THUMBPRINT})
    equal("type", (got.get("token_type"), got.get("error_description")), ("Bearer", None))


@check("MSAL: a wrong secret is refused with its code")
def _():
    got = by_msal("wrong")
    equal("refusal", (got["error"], got["error_codes"]), ("invalid_client", [7000215]))


@check("azure-identity: a certificate opens the environment")
def _():
    credential = CertificateCredential(TENANT, CLIENT, certificate_path=pem(os.path.dirname(KEY_FILE)), **HOW)
    found = DataverseClient(ORG, credential).records.list("contact", select=["fullname"], top=1)
    equal("rows", len(found), 1)


client = DataverseClient(ORG, ClientSecretCredential(TENANT, CLIENT, SECRET, **HOW))
known = {}


def case(title, **more):
    return {"title": title, "customerid_contact@odata.bind": f"/contacts({known['grace']})", **more}


def titles(key):
    rows = client.records.list("incident", select=["title"], filter=f"abc_interactionid eq '{key}'", top=5)
    return [row["title"] for row in rows]


@check("a list with a filter; blanks as +, the dollar as %24")
def _():
    found = client.records.list(
        "contact", select=["contactid", "fullname"], filter="mobilephone eq '+447700900412'", top=5
    )
    equal("names", [row["fullname"] for row in found], ["Grace Okafor"])
    known["grace"] = found[0]["contactid"]


@check("pages")
def _():
    pages = list(client.records.list_pages("contact", select=["fullname"], page_size=100))
    equal("pages", [len(page) for page in pages][:2], [100, 100])


@check("a create gives the id")
def _():
    known["case"] = client.records.create("incident", case("One"))
    equal("id", bool(re.fullmatch(r"[0-9a-f-]{36}", known["case"])), True)


@check("a label of a choice is resolved by the metadata")
def _():
    made = client.records.create("incident", case("Phone", caseorigincode="Phone"))
    equal("origin", client.records.retrieve("incident", made, select=["caseorigincode"])["caseorigincode"], 1)


@check("many at once by CreateMultiple")
def _():
    equal("ids", len(client.records.create("incident", [case("A"), case("B"), case("C")])), 3)


@check("an update, and none of what is not there")
def _():
    client.records.update("incident", known["case"], {"title": "Two"})
    equal("title", client.records.retrieve("incident", known["case"], select=["title"])["title"], "Two")
    nobody = "00000000-0000-4000-8000-000000000000"
    fails(lambda: client.records.update("incident", nobody, {"title": "x"}), 404, "0x80040217")


@check("upsert by alternate key, one and several")
def _():
    one = lambda title: UpsertItem(alternate_key={"abc_interactionid": RUN}, record=case(title))  # noqa: E731
    client.records.upsert("incident", [one("A")])
    client.records.upsert("incident", [one("B")])
    equal("titles", titles(RUN), ["B"])
    more = [UpsertItem(alternate_key={"abc_interactionid": RUN + str(n)}, record=case(f"M{n}")) for n in range(2)]
    client.records.upsert("incident", more)
    equal("titles", titles(RUN + "1"), ["M1"])


@check("a text that is too long has its code")
def _():
    fails(lambda: client.records.create("incident", case("x" * 201)), 400, "0x80044331")


@check("a column that is not there is refused")
def _():
    fails(lambda: client.records.create("incident", case("x", nope=1)), 400, "0x80048d19")


@check("a batch with a change set")
def _():
    batch = client.batch.new()
    with batch.changeset() as work:
        ref = work.records.create("incident", case("Batch"))
        work.records.create("annotation", {"subject": "Note", "objectid_incident@odata.bind": ref})
    done = batch.execute()
    equal("errors", (done.has_errors, len(done.succeeded)), (False, 2))


@check("a batch that goes on after an error")
def _():
    batch = client.batch.new()
    batch.records.create("incident", {"title": "No customer"})
    batch.records.create("incident", case("Good"))
    done = batch.execute(continue_on_error=True)
    equal("counts", (len(done.failed), len(done.succeeded)), (1, 1))


@check("a delete, and then nothing is there")
def _():
    client.records.delete("incident", known["case"])
    equal("row", client.records.retrieve("incident", known["case"], select=["title"]), None)


@check("a token that is dead is asked for again by a new client only")
def _():
    import requests

    requests.post(f"{ORG}/__sandbox/tokens/kill", timeout=10).raise_for_status()
    try:
        client.records.list("contact", select=["fullname"], top=1)
    except HttpError as raised:
        equal("status", raised.status_code, 401)
    else:
        raise AssertionError("no error")


print(f"{passed} passed, {failed} failed")
sys.exit(0 if failed == 0 and passed > 0 else 1)
