"""A document for every node and mark of Atlassian's schema, and the Markdown that is promised."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]


def node(kind: str, *content: Node, **attrs: Any) -> Node:
    held = {"content": list(content)} if content else {}
    return {"type": kind, **({"attrs": attrs} if attrs else {}), **held}


def text(said: str, *marks: Node) -> Node:
    return {"type": "text", "text": said, **({"marks": list(marks)} if marks else {})}


def p(*said: str | Node) -> Node:
    return node("paragraph", *(text(one) if isinstance(one, str) else one for one in said))


def item(*blocks: Node) -> Node:
    return node("listItem", *blocks)


def doc(*blocks: Node) -> Node:
    return {"version": 1, "type": "doc", "content": list(blocks)}


def task(said: str, state: str, kind: str = "taskItem") -> Node:
    held = text(said) if kind == "taskItem" else p(said)
    return node(kind, held, localId="i", state=state)


def tasks(*items: Node) -> Node:
    return node("taskList", *items, localId="t")


def cell(*blocks: Node, kind: str = "tableCell", **attrs: Any) -> Node:
    return node(kind, *blocks, **attrs)


def head(said: str) -> Node:
    return cell(p(said), kind="tableHeader")


def row(*cells: Node) -> Node:
    return node("tableRow", *cells)


FILE = node("media", type="file", id="ab-1", collection="c", alt="shot.png")
PICTURE = node("media", type="external", url="https://a.example/p.png", alt="A picture")
LINK = node("link", href="https://a.example/")
BR = node("hardBreak")
SIDE = {"layout": "center"}
EXT = {"extensionType": "com.example", "extensionKey": "toc"}

BLOCK_CASES: list[tuple[str, Node, str]] = [
    ("paragraph", p("one ", text("two")), "one two"),
    ("hardBreak", p("one ", BR, " two", BR), "one\\\ntwo"),
    ("heading", node("heading", text("Title #"), level=3), "### Title \\#"),
    ("heading-break", node("heading", text("a"), BR, text("b"), level=1), "# a<br>b"),
    (
        "bulletList",
        node("bulletList", item(p("a"), node("bulletList", item(p("b"))))),
        "- a\n  - b",
    ),
    ("orderedList", node("orderedList", item(p("a")), item(p("b")), order=9), "9. a\n10. b"),
    ("listItem", node("bulletList", item(p("a"), p("b")), item()), "- a\n\n  b\n\n-"),
    (
        "listItem-code",
        node("orderedList", item(p("a"), node("codeBlock", text("x\n\n y"), language="sh"))),
        "1. a\n\n   ```sh\n   x\n\n    y\n   ```",
    ),
    ("taskList", tasks(task("a", "TODO"), tasks(task("b", "DONE"))), "- [ ] a\n  - [x] b"),
    ("blockTaskItem", tasks(task("a", "DONE", "blockTaskItem")), "- [x] a"),
    (
        "decisionList",
        node(
            "decisionList",
            node("decisionItem", text("go"), localId="", state="DECIDED"),
            localId="",
        ),
        "- **Decision:** go",
    ),
    ("codeBlock", node("codeBlock", text("```\n# a"), language="md"), "````md\n```\n# a\n````"),
    ("blockquote", node("blockquote", p("a"), p("b")), "> a\n>\n> b"),
    ("panel", node("panel", p("a"), panelType="warning"), "> [!WARNING]\n> a"),
    (
        "panel-custom",
        node("panel", p("a"), panelType="custom", panelIconText="🚀"),
        "> [!NOTE]\n> 🚀\n>\n> a",
    ),
    ("expand", node("expand", p("a"), title="More"), "> **▸ More**\n>\n> a"),
    (
        "nestedExpand",
        node("expand", {**node("nestedExpand", p("a")), "attrs": {}}, title="T"),
        "> **▸ T**\n>\n> > **▸**\n> >\n> > a",
    ),
    ("rule", node("rule"), "---"),
    (
        "table",
        node("table", row(head("A"), head("B")), row(cell(p("1|2")), cell(p("3")))),
        "| A | B |\n| --- | --- |\n| 1\\|2 | 3 |",
    ),
    (
        "tableHeader",
        node("table", row(head("A"), cell(p("1"))), row(head("B"), cell(p("2")))),
        "|  |  |\n| --- | --- |\n| **A** | 1 |\n| **B** | 2 |",
    ),
    (
        "tableCell",
        node(
            "table",
            row(head("A"), head("B"), head("C")),
            row(cell(p("1"), p("2"), rowspan=2), cell(p("3"), colspan=2)),
            row(cell(node("bulletList", item(p("x"), p("y")), item(p("z"))), node("rule"))),
        ),
        (
            "| A | B | C |\n| --- | --- | --- |\n| 1<br>2 | 3 |  |\n"
            "|  | - x<br>&nbsp;&nbsp;y<br>- z<br>--- |"
        ),
    ),
    (
        "tableRow",
        node(
            "table",
            row(cell(tasks(task("a", "DONE")), node("codeBlock", text("b|c\n  d")))),
            row(cell(node("panel", p("e"), panelType="info"), FILE and node("mediaGroup", FILE))),
        ),
        "|  |\n| --- |\n| - \\[x] a<br>`b\\|c`<br>`  d` |\n| e<br>[shot.png](attachment:ab-1) |",
    ),
    ("mediaSingle", node("mediaSingle", PICTURE, **SIDE), "![A picture](https://a.example/p.png)"),
    ("media", node("mediaSingle", FILE, **SIDE), "[shot.png](attachment:ab-1)"),
    (
        "caption",
        node("mediaSingle", PICTURE, node("caption", text("Fig. 1")), **SIDE),
        "![A picture](https://a.example/p.png)\n\nFig. 1",
    ),
    (
        "mediaGroup",
        node("mediaGroup", FILE, node("media", type="file", id="2", collection="")),
        "[shot.png](attachment:ab-1)\\\n[attachment 2](attachment:2)",
    ),
    ("blockCard", node("blockCard", url="https://a.example/x"), "<https://a.example/x>"),
    (
        "embedCard",
        node("embedCard", url="https://a.example/x*y", layout="wide"),
        "<https://a.example/x*y>",
    ),
    (
        "layoutSection",
        node(
            "layoutSection",
            node("layoutColumn", node("bulletList", item(p("a"))), width=50),
            node("layoutColumn", node("bulletList", item(p("b"))), width=50),
        ),
        "- a\n\n* b",
    ),
    ("layoutColumn", node("layoutSection", node("layoutColumn", p("a"), width=1)), "a"),
    (
        "extension",
        node("extension", **EXT, text="Contents", parameters={"a": [1]}),
        'Contents \\[extension com.example toc] `{"a": [1]}`',
    ),
    (
        "bodiedExtension",
        node("bodiedExtension", p("a"), **EXT),
        "\\[extension com.example toc]\n\na",
    ),
    (
        "syncBlock",
        node("syncBlock", resourceId="r", localId="l"),
        '`{"syncBlock": {"resourceId": "r"}}`',
    ),
    ("bodiedSyncBlock", node("bodiedSyncBlock", p("a"), resourceId="r", localId="l"), "a"),
]

INLINE_CASES: list[tuple[str, Node, str]] = [
    ("text", text("a *b* <c>"), "a \\*b\\* \\<c>"),
    ("mention", node("mention", id="1", text="@Ann Lee"), "@<!-- -->Ann Lee"),
    ("emoji", node("emoji", shortName=":tada:", text="🎉"), "🎉"),
    ("emoji-own", node("emoji", shortName=":our_logo:"), ":our_logo:"),
    ("date", node("date", timestamp="1700000000000"), "2023-11-14"),
    ("status", node("status", text="In progress", color="blue"), "**In progress**"),
    ("inlineCard", node("inlineCard", url="https://a.example/?a=1&b"), "<https://a.example/?a=1&b>"),
    (
        "inlineCard-data",
        node("inlineCard", data={"name": "Page", "url": "https://a.example/"}),
        "[Page](https://a.example/)",
    ),
    ("placeholder", node("placeholder", text="Type here"), "Type here"),
    ("inlineExtension", node("inlineExtension", **EXT), "\\[extension com.example toc]"),
    ("mediaInline", node("mediaInline", id="7", collection="", alt="a.log"), "[a.log](attachment:7)"),
    ("strong", text("a", node("strong")), "**a**"),
    ("em", text("a", node("em")), "*a*"),
    ("strike", text("a", node("strike")), "~~a~~"),
    ("code", text("a`b", node("code")), "``a`b``"),
    ("underline", text("a", node("underline")), "<ins>a</ins>"),
    ("subsup", text("2", node("subsup", type="sub")), "<sub>2</sub>"),
    ("subsup-sup", text("2", node("subsup", type="sup")), "<sup>2</sup>"),
    ("link", text("a", node("link", href="https://a.example/(", title='"t"')),
     '[a](<https://a.example/(> "\\"t\\"")'),
    ("textColor", text("a", node("textColor", color="#aabbcc")), "a"),
    ("backgroundColor", text("a", node("backgroundColor", color="#aabbcc")), "a"),
    ("annotation", text("a", node("annotation", id="1", annotationType="inlineComment")), "a"),
]  # fmt: skip

MARKED_CASES: list[tuple[str, Node, str]] = [
    ("alignment", {**p("a"), "marks": [node("alignment", align="end")]}, "a"),
    ("indentation", {**p("a"), "marks": [node("indentation", level=1)]}, "a"),
    ("fontSize", {**p("a"), "marks": [node("fontSize", fontSize="small")]}, "a"),
    (
        "breakout",
        {**node("codeBlock", text("a")), "marks": [node("breakout", mode="wide")]},
        "```\na\n```",
    ),
    (
        "border",
        node("mediaGroup", {**FILE, "marks": [node("border", size=1, color="#aabbcc")]}),
        "[shot.png](attachment:ab-1)",
    ),
    (
        "media-link",
        node("mediaSingle", {**PICTURE, "marks": [LINK]}, **SIDE),
        "[![A picture](https://a.example/p.png)](https://a.example/)",
    ),
    (
        "mediaSingle-link",
        {**node("mediaSingle", FILE, **SIDE), "marks": [LINK]},
        "[shot.png](https://a.example/) ([attachment](attachment:ab-1))",
    ),
    (
        "fragment",
        {**node("extension", **EXT), "marks": [node("fragment", localId="x", name="n")]},
        "\\[extension com.example toc]",
    ),
    (
        "dataConsumer",
        {**node("extension", **EXT), "marks": [node("dataConsumer", sources=["s"])]},
        "\\[extension com.example toc]",
    ),
]
CASES = [*BLOCK_CASES, *((name, p(one), said) for name, one, said in INLINE_CASES), *MARKED_CASES]
"""Name (with the node or mark first), block, Markdown."""
