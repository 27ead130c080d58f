EXTRA_DIST += doc/doc.mk
dist_doc_DATA += doc/architecture.md
dist_man_MANS += doc/hikyaku.8
dist_man_MANS += doc/hikyaku.conf.5
dist_doc_DATA += doc/hikyaku.conf.example
dist_man_MANS += doc/hikyaku-log.5
dist_man_MANS += doc/hikyaku-queue.5
