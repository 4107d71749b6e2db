"""The questions and orders that Linear is sent.

Invariant: one document for one purpose, each valid by Linear's published schema. Lists within an
issue are asked for as far as they commonly go, with the word whether there is more.
"""

from __future__ import annotations

_PERSON = "id displayName app"
_ISSUE = f"""
fragment Told on Issue {{
  id identifier title description url priority priorityLabel createdAt updatedAt archivedAt trashed
  state {{ name type }}
  team {{ id }}
  creator {{ {_PERSON} }}
  botActor {{ type }}
  externalUserCreator {{ id }}
  assignee {{ displayName }}
  parent {{ identifier }}
  projectMilestone {{ name }}
  labels(first: $labels) {{ nodes {{ id name }} pageInfo {{ hasNextPage }} }}
  inverseRelations(first: $relations) {{
    nodes {{ type issue {{ identifier archivedAt state {{ type }} }} }}
    pageInfo {{ hasNextPage }}
  }}
}}
"""
_COMMENT = f"""
fragment Said on Comment {{
  id body url createdAt updatedAt archivedAt
  user {{ {_PERSON} }}
  botActor {{ type }}
  externalUser {{ id }}
  issue {{ id identifier }}
}}
"""

VIEWER = f"query Viewer {{ viewer {{ {_PERSON} }} }}"

TEAM = """
query Team($key: String!) {
  teams(filter: {key: {eq: $key}}, first: 1) { nodes { id key name } }
}
"""

STATES = """
query States($team: String!, $after: String) {
  team(id: $team) {
    states(first: 100, after: $after) {
      nodes { id name type position } pageInfo { hasNextPage endCursor }
    }
  }
}
"""

MEMBER = """
query Member($team: String!, $user: ID!) {
  team(id: $team) {
    members(filter: {id: {eq: $user}}, first: 1) { nodes { id displayName active app guest } }
  }
}
"""

LABELS = """
query Labels($after: String) {
  issueLabels(first: 250, after: $after) {
    nodes { id name isGroup team { id } } pageInfo { hasNextPage endCursor }
  }
}
"""

ISSUE = f"""
query Issue($id: String!, $labels: Int!, $relations: Int!) {{ issue(id: $id) {{ ...Told }} }}
{_ISSUE}
"""

ISSUES = f"""
query Issues(
  $filter: IssueFilter!, $archived: Boolean!, $after: String, $labels: Int!, $relations: Int!
) {{
  issues(
    filter: $filter, first: 50, after: $after, includeArchived: $archived, orderBy: createdAt
  ) {{ nodes {{ ...Told }} pageInfo {{ hasNextPage endCursor }} }}
}}
{_ISSUE}
"""

HISTORY = f"""
query History($id: String!, $after: String) {{
  issue(id: $id) {{
    creator {{ {_PERSON} }}
    createdAt
    history(first: 100, after: $after) {{
      nodes {{
        id createdAt actor {{ {_PERSON} }} addedLabels {{ name }}
      }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}
"""

COMMENT = f"query Comment($id: String!) {{ comment(id: $id) {{ ...Said }} }}\n{_COMMENT}"

COMMENTS = f"""
query Comments($filter: CommentFilter!, $after: String) {{
  comments(filter: $filter, first: 50, after: $after, orderBy: createdAt) {{
    nodes {{ ...Said }} pageInfo {{ hasNextPage endCursor }}
  }}
}}
{_COMMENT}
"""

CREATE_ISSUE = """
mutation CreateIssue($input: IssueCreateInput!) { issueCreate(input: $input) { success } }
"""

UPDATE_ISSUE = """
mutation UpdateIssue($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success }
}
"""

CREATE_LABEL = """
mutation CreateLabel($input: IssueLabelCreateInput!) {
  issueLabelCreate(input: $input) { success issueLabel { id name isGroup team { id } } }
}
"""

CREATE_COMMENT = """
mutation CreateComment($input: CommentCreateInput!) { commentCreate(input: $input) { success } }
"""

UPDATE_COMMENT = """
mutation UpdateComment($id: String!, $input: CommentUpdateInput!) {
  commentUpdate(id: $id, input: $input) { success }
}
"""
