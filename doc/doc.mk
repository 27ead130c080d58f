dist_doc_DATA += doc/architecture.md
dist_doc_DATA += doc/performance.md doc/reliability.md doc/hikyaku.conf.example
dist_man_MANS += \
	doc/hikyaku-sendmail.1 \
	doc/hikyaku.8 \
	doc/hikyaku.conf.5 \
	doc/hikyaku-log.5 \
	doc/hikyaku-policy.5 \
	doc/hikyaku-queue.5 \
	doc/hikyaku-routes.5 \
	doc/hikyaku-behind.7
