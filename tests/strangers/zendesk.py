"""zenpy, as it comes from its registry, against the Zendesk sandbox. Environment as in zendesk.mjs.

The client builds its own addresses (https://<subdomain>.zendesk.com); its own variables ZENPY_FORCE_NETLOC and
ZENPY_FORCE_SCHEME send them to the sandbox.
"""

import io
import json
import os
import sys
import time
import urllib.request
from urllib.parse import urlsplit

BASE = os.environ["SANDBOX_BASE_URL"]
OWNER = os.environ["SANDBOX_OWNER"]
API_TOKEN = os.environ["SANDBOX_API_TOKEN"]
RUN = format(int(time.time() * 1000), "x")
os.environ["ZENPY_FORCE_NETLOC"] = urlsplit(BASE).netloc
os.environ["ZENPY_FORCE_SCHEME"] = urlsplit(BASE).scheme

from zenpy import Zenpy  # noqa: E402  it reads the variables above
from zenpy.lib.api_objects import Comment, Identity, Ticket, User  # noqa: E402
from zenpy.lib.api_objects.talk_objects import CallPe, VoiceComment  # noqa: E402
from zenpy.lib.exception import (  # noqa: E402
    APIException,
    RatelimitBudgetExceeded,
    RecordNotFoundException,
    SearchResponseLimitExceeded,
    TooManyValuesException,
)

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


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        BASE + path, data=data, method=method, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def token():
    body = {
        "grant_type": "client_credentials",
        "client_id": os.environ["SANDBOX_CLIENT_ID"],
        "client_secret": os.environ["SANDBOX_CLIENT_SECRET"],
        "scope": "read write",
    }
    return call("POST", "/oauth/tokens", body)["access_token"]


zendesk = Zenpy(subdomain="sandbox", oauth_token=token(), disable_cache=True)
known = call("GET", "/__sandbox")
grace = next(c for c in known["known"]["contacts"] if c["name"] == "Grace Okafor")
agent = int(known["known"]["agents"][0]["id"])
made = {}


@check("a bearer is an administrator")
def _():
    equal("role", zendesk.users.me().role, "admin")


@check("an API token is one, too")
def _():
    basic = Zenpy(subdomain="sandbox", email=OWNER, token=API_TOKEN, disable_cache=True)
    equal("email", basic.users.me().email, OWNER)


@check("a wrong token is refused")
def _():
    fails(APIException, lambda: Zenpy(subdomain="sandbox", oauth_token="wrong").users.me())


@check("a customer is found by digits, whatever was typed")
def _():
    equal("names", [u.name for u in zendesk.users.search(query="phone:*2079460112")], ["Grace Okafor"])


@check("the search of everything tolerates its filter")
def _():
    equal("names", [u.name for u in zendesk.search("phone:*2079460112", type="user")], ["Grace Okafor"])


@check("a search walks its pages")
def _():
    found = list(zendesk.search("role:end-user", type="user"))
    equal("more than two pages", len(found) > 200, True)


@check("a search that is refused has the error the client knows")
def _():
    fails(SearchResponseLimitExceeded, lambda: list(zendesk.users.search(query="phone:+442079460112")))


@check("a user is made by external id and found by it")
def _():
    user = zendesk.users.create_or_update(User(name="Ada Py", external_id=f"py-{RUN}", email=f"ada-{RUN}@py.example"))
    made["user"] = user.id
    equal("found", [u.id for u in zendesk.users.search(external_id=f"py-{RUN}")], [user.id])


@check("identities are listed and made")
def _():
    zendesk.users.identities.create(user=made["user"], identity=Identity(type="phone_number", value="+442079460888"))
    kinds = sorted(i.type for i in zendesk.users.identities(id=made["user"]))
    equal("kinds", kinds, ["email", "phone_number"])


@check("a ticket comes with its audit")
def _():
    audit = zendesk.tickets.create(
        Ticket(subject="From Python", requester_id=made["user"], comment=Comment(body="Said", public=False))
    )
    made["ticket"] = audit.ticket.id
    equal("events", [e["type"] for e in audit.audit.events][0], "Comment")


@check("an update adds a comment; comments end where has_more says")
def _():
    zendesk.tickets.update(Ticket(id=made["ticket"], comment=Comment(body="Later", public=False), status="open"))
    equal("bodies", [c.body for c in zendesk.tickets.comments(made["ticket"])], ["Said", "Later"])


@check("a file goes up and ends in a comment")
def _():
    upload = zendesk.attachments.upload(
        io.BytesIO("Grüße".encode()), target_name="chat.txt", content_type="text/plain"
    )
    comment = Comment(body="see file", public=False, uploads=[upload.token])
    zendesk.tickets.update(Ticket(id=made["ticket"], comment=comment))
    files = [a.file_name for c in zendesk.tickets.comments(made["ticket"]) for a in c.attachments]
    equal("files", files, ["chat.txt"])


@check("what was said can be redacted")
def _():
    first = next(iter(zendesk.tickets.comments(made["ticket"])))
    zendesk.tickets.comment_redact(made["ticket"], first.id, "Said")
    equal("body", next(iter(zendesk.tickets.comments(made["ticket"]))).body, "▇▇▇▇")


@check("tags are added and taken")
def _():
    equal("added", sorted(zendesk.tickets.add_tags(made["ticket"], ["b", "a"])), ["a", "b"])
    zendesk.tickets.delete_tags(made["ticket"], ["a"])
    equal("left", zendesk.tickets(id=made["ticket"]).tags, ["b"])


@check("a ticket is deleted, and not there any more")
def _():
    other = zendesk.tickets.create(Ticket(subject="gone", comment=Comment(body="x", public=False))).ticket
    zendesk.tickets.delete(other)
    fails(RecordNotFoundException, lambda: zendesk.tickets(id=other.id))


@check("many at once are a job, and more than a hundred are too many")
def _():
    def ticket():
        return Ticket(subject="bulk", comment=Comment(body="x", public=False))

    job = zendesk.tickets.create([ticket() for _ in range(3)])
    equal("total", job.total, 3)
    equal("status", zendesk.job_status(id=job.id).status, "completed")
    fails(TooManyValuesException, lambda: zendesk.tickets.create([ticket() for _ in range(101)]))


@check("a screen pop answers with nothing, or 404")
def _():
    zendesk.talk_pe.display_ticket(agent, made["ticket"])
    zendesk.talk_pe.display_user(agent, int(grace["id"]))
    fails(RecordNotFoundException, lambda: zendesk.talk_pe.display_user(agent, 1))


@check("a voice ticket needs a call's number and a real agent")
def _():
    ticket = Ticket(via_id=45, subject="Call", comment=Comment(body="A call", public=False))
    equal("channel", zendesk.talk_pe.create_ticket(agent, ticket).ticket.via.channel, "voice")
    equal("nobody", zendesk.talk_pe.create_ticket(None, ticket).ticket.via.channel, "voice")
    fails(APIException, lambda: zendesk.talk_pe.create_ticket(1, ticket))


@check("a call makes its ticket, is changed, and gets a comment")
def _():
    record = CallPe(
        app_id=known["app_id"],
        from_line="+442079460112",
        to_line="+442079460900",
        call_started_at="2026-11-20T10:00:00+01",
        direction="inbound",
        end_user_id=int(grace["id"]),
    )
    done = zendesk.calls.create(record, VoiceComment(title="Call from Grace", call_fields=["from_line", "to_line"]))
    equal("ticket", done.ticket_id is not None, True)
    equal("utc", done.call_started_at, "2026-11-20T09:00:00Z")
    zendesk.calls.update(CallPe(id=done.id, duration=65))
    equal("duration", zendesk.calls(id=done.id).duration, 65)
    said = zendesk.calls.comment(done.id, VoiceComment(title="Afterwards", call_fields=["duration"]))
    equal("type", said["type"], "TpeVoiceComment")


@check("a limit is waited out as Retry-After says")
def _():
    began = time.monotonic()
    for n in range(2):
        zendesk.users.create_or_update(User(name=f"Fast {n}", external_id=f"fast-{n}-{RUN}"))
    equal("waited", time.monotonic() - began >= 0.9, True)
    hasty = Zenpy(subdomain="sandbox", oauth_token=token(), ratelimit_budget=1)
    call("POST", "/__sandbox/faults", {"fault": "limited", "retry_after_s": 60})
    fails(RatelimitBudgetExceeded, lambda: hasty.tickets(id=made["ticket"]))


print(f"{passed} passed, {failed} failed")
sys.exit(0 if failed == 0 and passed > 0 else 1)
