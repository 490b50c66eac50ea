"""What a notebook shows of an answer, and what a model can't do with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport import Attempt, Message, Price, Response, Text, ToolCall, Usage, as_markdown

TOLD = Response.of(
    "The sky is **blue**.",
    model_id="gpt-4o",
    usage=Usage(12, 5),
    attempts=(
        Attempt("openai", "gpt-4o", "server", started=1.0, duration=0.5),
        Attempt("openai", "gpt-4o", "answered", started=2.0, duration=0.25, usage=Usage(12, 5)),
    ),
)


def test_an_answer_is_its_text_and_a_line_of_what_it_took():
    assert TOLD._repr_markdown_() == (
        "The sky is **blue**.\n\n*gpt&#45;4o · 1.25 s · 12 + 5 tokens · 2 attempts: server, answered*"
    )


def test_a_model_that_does_not_say_its_name_is_named_by_the_ledger():
    told = Response.of("Hi", attempts=[Attempt(None, "small", "answered", duration=0.5)])
    assert told._repr_markdown_() == "Hi\n\n*small · 0.50 s*"


def test_its_cost_is_told_where_there_is_a_price():
    assert " · 0.000080 USD · " in as_markdown(TOLD, {"gpt-4o": Price(2.5, 10)})
    assert " · 0.000080 USD" in as_markdown(Response.of("Hi", usage=Usage(12, 5)), {"*": Price(2.5, 10)})


def test_a_bare_answer_is_its_text():
    assert Response.of("Hi")._repr_markdown_() == "Hi"


def test_calls_of_tools_are_listed():
    response = Response(Message("assistant", [Text("Look:"), ToolCall("1", "weather", '{"city": "<b>"}')]))
    assert response._repr_markdown_() == (
        "Look:\n\n- <code>weather&#40;&#123;&#34;city&#34;&#58; &#34;&#60;b&#62;&#34;&#125;&#41;</code>"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("![x](http://127.0.0.1/?secret)", "!&#91;x](http://127.0.0.1/?secret)"),
        ("[x](javascript:alert(1))", "[x](javascript\u200b:alert(1))"),
        ("[x](JavaScript&colon;alert(1))", "[x](JavaScript&amp;colon;alert(1))"),
        ("a `<b>` here", "a <code>&#60;b&#62;</code> here"),
        ("```html\n<b>*x*\n```\nend", "<pre><code>&#60;b&#62;&#42;x&#42;\n</code></pre>\nend"),
        ("```\r\n<i>\r\n```", "<pre><code>&#60;i&#62;\n</code></pre>"),
        ("```\n<script>", "```\n&lt;script>"),
    ],
)
def test_what_a_model_says_cannot_act_on_the_page(said, shown):
    assert Response.of(said)._repr_markdown_() == shown


@given(st.text("`~<![]()>&\n\r $b:/"))
def test_no_tag_is_the_models_own(said):
    left = Response.of(said)._repr_markdown_()
    for own in ("<pre><code>", "</code></pre>", "<code>", "</code>"):
        left = left.replace(own, "")
    assert "<" not in left
    assert "![" not in left


@pytest.mark.needs("cli")
def test_a_page_that_renders_it_has_no_tags_of_the_models():
    from markdown_it import MarkdownIt

    tricks = [
        "~~~",
        "```",
        "~~~",
        "<img src=x>",
        "",
        "`a` ![p](http://127.0.0.1/p)",
        "[x](javascript\\:alert(1))",
        "<b>",
    ]
    said = "\n".join(tricks)
    page = MarkdownIt("commonmark", {"html": True}).render(Response.of(said)._repr_markdown_())
    assert "<img" not in page
    assert 'href="javascript:' not in page
    assert "<b>" not in page
