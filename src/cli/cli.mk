EXTRA_DIST += src/cli/README.md
