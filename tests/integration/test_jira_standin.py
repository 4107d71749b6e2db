"""The stand-in for Jira is one for others, too: Atlassian's published models and a well-known client.

What our client sends is held against the same models, in a mode that takes no field which Atlassian
has not described.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from tests.integration.jira_rooms import KEY, Rooms, cloud as cloud, rooms as rooms
from tests.real.parts import NotInstalled
from tests.standins import fetched

MODELS = [
    # method and path, the model of what is sent, the model of the answer
    (r"POST /search/jql", "SearchAndReconcileRequest", "SearchAndReconcileResults"),
    (r"GET /issue/[^/]+", "", "Issue"),
    (r"POST /issue", "IssueUpdateDetails", "CreatedIssue"),
    (r"PUT /issue/[^/]+", "IssueUpdateDetails", ""),
    (r"GET /issue/[^/]+/changelog", "", "PageChangelog"),
    (r"GET /issue/[^/]+/transitions", "", "Transitions"),
    (r"POST /issue/[^/]+/transitions", "IssueUpdateDetails", ""),
    (r"GET /issue/[^/]+/comment", "", "PageOfComments"),
    (r"POST /issue/[^/]+/comment", "CommentInput", "Comment"),
    (r"PUT /issue/[^/]+/comment/\d+", "CommentInput", "Comment"),
    (r"DELETE /issue/[^/]+/comment/\d+", "", ""),
    (r"POST /comment/list", "IssueCommentListRequest", "PageComment"),
    (r"POST /permissions/check", "BulkPermissionsRequest", "BulkPermissionGrants"),
    (r"GET /mypermissions", "", "Permissions"),
    (r"GET /project/[^/]+", "", "Project"),
    (r"GET /project/[^/]+/statuses", "", "[]IssueTypeWithStatus"),
    (r"GET /serverInfo", "", "ServerInformation"),
    (r"GET /myself", "", "DashboardUser"),
]


def lived(rooms: Rooms) -> None:
    """Everything that a source does, once."""
    world = rooms.world
    world.users["bot"].admin = True
    first = world.add_issue("ABC", "first", by="cat", versions=[{"name": "1", "released": False}])
    issue = world.add_issue(
        "ABC", "x", by="cat", description=rooms.body("It is broken."), labels=["orch"],
        assignee=world.users["eve"], parent=first, blockers=[first],
        attachments=[("a.png", "https://x.example/a.png")],
    )  # fmt: skip
    world.label(issue, "cat", "orch", "ui")
    for way in rooms.project.transitions:
        done = [{"name": "Done"}]
        way.fields = {"resolution": {"allowedValues": done}} if way.to.name == "Done" else {}
    source = rooms.source(page=1)
    assert source.probe() == ""
    cursor = source.look("").cursor
    source.look(cursor)
    _, said = source.remarks("")
    made = source.create("new", body="- a\n- b", labels=["o"], key=KEY).source_id
    assert source.approval(issue.key, "ui")
    assert source.may_write(source.get(issue.key).author)
    source.put_state(made, "in_progress")
    source.put_labels(made, ["x"], ["o"])
    source.put_comment(made, "one", key=KEY)
    source.put_comment(made, "two", key=KEY)
    other = world.issues[made].comments[0]
    world.comment(world.issues[made], "bot", other.body, **other.properties)
    source.put_comment(made, "two", key=KEY)
    source.remarks(said)
    source.close(made, done=True)


def faults(schemas: dict[str, Any], name: str, value: Any) -> list[str]:
    if name.startswith("[]"):
        return [fault for one in value for fault in faults(schemas, name[2:], one)]
    found = jsonschema.Draft202012Validator(schemas[name]).iter_errors(value)
    return [f"{name} at {error.json_path}: {error.message[:200]}" for error in found]


def test_what_is_asked_and_answered_fits_the_published_models(cloud: Rooms) -> None:
    try:
        schemas = json.loads(fetched.jira_models().read_text("utf-8"))
    except NotInstalled as error:
        pytest.skip(f"Jira's models could not be installed: {error}")
    lived(cloud)
    met, told = set(), []
    for one in cloud.standin.log:
        method, _, path = one.request.partition("?")[0].partition(" ")
        line = f"{method} {re.sub('^/rest/api/[23]', '', path)}"
        number = next((n for n, (p, _, _) in enumerate(MODELS) if re.fullmatch(p, line)), None)
        if one.status >= 300 or number is None:
            told.append(f"{one.request} {one.status} has no model")
            continue
        met.add(number)
        _, sent, answered = MODELS[number]
        told += faults(schemas, sent, one.body) if sent else []
        told += faults(schemas, answered, one.told) if answered else []
    assert sorted(set(told)) == []
    assert met == set(range(len(MODELS)))


CLIENT = """
import json, sys
from jira import JIRA
url, name, token, cloud = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "cloud"
if cloud:
    jira = JIRA(url, basic_auth=(f"{name}@example.org", token), options={"rest_api_version": "2"})
else:
    jira = JIRA(url, token_auth=token)
seen = jira.issue("ABC-1")
made = jira.create_issue(project={"key": "ABC"}, summary="by the client", description="words",
                         issuetype={"name": "Task"})
jira.add_comment(made, "said by the client")
said = jira.comments("ABC-1")
ways = {one["to"]["name"]: one["id"] for one in jira.transitions(made)}
jira.transition_issue(made, ways["In Progress"])
asked = 'project = "ABC" AND statusCategory != Done'
found = jira.enhanced_search_issues(asked, maxResults=0) if cloud else jira.search_issues(
    asked, maxResults=0)
print(json.dumps({
    "title": seen.fields.summary, "labels": seen.fields.labels, "state": str(seen.fields.status),
    "blockers": [one.inwardIssue.key for one in seen.fields.issuelinks
                 if hasattr(one, "inwardIssue")],
    "said": [[one.author.displayName, bool(one.body)] for one in said], "made": made.key,
    "found": sorted(one.key for one in found), "me": jira.myself()["displayName"],
}))
"""


def test_a_well_known_client_works_on_it_and_sees_what_we_did(rooms: Rooms) -> None:
    try:
        place = fetched.jira_client()
    except NotInstalled as error:
        pytest.skip(f"the client could not be installed: {error}")
    world = rooms.world
    for number in range(3):
        world.add_issue("ABC", f"t{number}", by="cat")
    world.issues["ABC-1"].blockers.append(world.issues["ABC-2"])
    source = rooms.source()
    source.put_state("ABC-1", "in_progress")
    source.put_labels("ABC-1", ["orch"], [])
    source.put_comment("ABC-1", "at *work*", key=KEY)
    source.close("ABC-3", done=True)
    _, heard = source.remarks("")
    standin = rooms.standin
    kind = "cloud" if rooms.cloud else "datacenter"
    argv = [sys.executable, "-c", CLIENT, standin.url, "cat", standin.token("cat"), kind]
    env = {
        "PYTHONPATH": str(place),
        "PATH": os.environ["PATH"],
        "NO_PROXY": "*",
        "HOME": str(place),
    }
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told == {
        "title": "t0", "labels": ["orch"], "state": "In Progress", "blockers": ["ABC-2"],
        "said": [["Bot", True]], "made": "ABC-4", "found": ["ABC-1", "ABC-2", "ABC-4"], "me": "Cat",
    }  # fmt: skip
    ticket = source.get("ABC-4")
    assert (ticket.title, ticket.body, ticket.state) == ("by the client", "words", "in_progress")
    assert ticket.author.name == "Cat"
    remarks, _ = source.remarks(heard)
    assert [one.body for one in remarks] == ["said by the client"]
