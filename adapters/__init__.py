"""The backends: what netweave stands on. Plain Python, no Django; one plugin a module under ims/, dms/ and
smo/."""
