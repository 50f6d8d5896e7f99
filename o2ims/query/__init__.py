"""What a list is asked for: filters (`filter`) and attribute selectors (`fields` and its kin), ETSI GS
NFV-SOL 013 clauses 5.2, 5.3.

    text ─► parse_filter(text, shape)  ─► Filter.matches(body)     plain dicts in snake_case
            parse_selector(…, shape)   ─► Selector.apply(wire)     dicts as they go over the wire

Pure Python: no Django, no I/O. Whatever is wrong with what a client sent is a `QueryError`, and nothing else
is raised.
"""

from o2ims.query.error import QueryError
from o2ims.query.filter import Filter, Term, parse_filter
from o2ims.query.selector import Selector, parse_selector

__all__ = ["Filter", "QueryError", "Selector", "Term", "parse_filter", "parse_selector"]
