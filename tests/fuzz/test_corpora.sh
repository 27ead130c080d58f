#!/bin/sh
# Every corpus, with the compiler at hand: what a fuzzer once found stays found.
exec "$TOP_BUILDDIR/tests/fuzz/replay" "$TOP_SRCDIR/tests/fuzz/corpus"
