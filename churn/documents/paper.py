"""A document in markdown as a page to print: one HTML file that fetches nothing."""

from __future__ import annotations

from html import escape

from markdown_it import MarkdownIt

PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #14191c;}}
h1, h2, h3 {{line-height: 1.2; break-after: avoid;}}
h2 {{margin-top: 2.5rem; border-bottom: 1px solid #999;}}
li, tr {{break-inside: avoid;}}
table {{border-collapse: collapse; width: 100%;}}
th, td {{text-align: left; padding: 0.2rem 0.6rem 0.2rem 0; border-bottom: 1px solid #ddd; vertical-align: top;}}
@media print {{body {{margin: 0; max-width: none; font-size: 10pt;}}}}
</style>
<main>
{body}</main>
</html>
"""


def as_page(markdown: str, *, language: str) -> str:
    """The HTML of a document; tags in its text are shown, never obeyed. Its title is its first heading."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    title = next((line.lstrip("# ") for line in markdown.splitlines() if line.startswith("# ")), "Keepline")
    return PAGE.format(title=escape(title), language=escape(language), body=reader.render(markdown))
