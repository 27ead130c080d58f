EXTRA_DIST += doc/doc.mk
dist_doc_DATA += doc/architecture.md
