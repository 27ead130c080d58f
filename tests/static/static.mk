# What reads the sources of the program without running them; see README.md. Not part of `make check`: minutes.
EXTRA_DIST += .clang-tidy tests/static/README.md tests/static/static.mk tests/static/run \
	tests/static/cppcheck.suppressions tests/static/analyzer.suppressions

# make check-static [STATIC_TOOLS="cppcheck analyzer tidy"]
STATIC_TOOLS = cppcheck analyzer tidy
check-static:
	$(srcdir)/tests/static/run $(STATIC_TOOLS:%=-t %) .
.PHONY: check-static
