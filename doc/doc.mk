EXTRA_DIST += doc/doc.mk
