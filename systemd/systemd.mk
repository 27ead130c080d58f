# The service, its user and its directories, with the places that were configured.
SYSTEMD_FILES = systemd/hikyaku.service systemd/hikyaku.sysusers systemd/hikyaku.tmpfiles
EXTRA_DIST += systemd/README.md systemd/hikyaku.service.in \
	systemd/hikyaku.sysusers.in systemd/hikyaku.tmpfiles.in
CLEANFILES = $(SYSTEMD_FILES)
noinst_DATA = $(SYSTEMD_FILES)

$(SYSTEMD_FILES): Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && \
		sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		-e 's|@localstatedir[@]|$(localstatedir)|g' '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@
systemd/hikyaku.service: systemd/hikyaku.service.in
systemd/hikyaku.sysusers: systemd/hikyaku.sysusers.in
systemd/hikyaku.tmpfiles: systemd/hikyaku.tmpfiles.in

if SYSTEMDUNIT
systemdsystemunit_DATA = systemd/hikyaku.service
endif

# They are installed under another name, which automake does not do.
install-data-local:
if SYSUSERS
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)'
	$(INSTALL_DATA) systemd/hikyaku.sysusers '$(DESTDIR)$(sysusersdir)/hikyaku.conf'
endif
if TMPFILES
	$(MKDIR_P) '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) systemd/hikyaku.tmpfiles '$(DESTDIR)$(tmpfilesdir)/hikyaku.conf'
endif

uninstall-local:
if SYSUSERS
	rm -f '$(DESTDIR)$(sysusersdir)/hikyaku.conf'
endif
if TMPFILES
	rm -f '$(DESTDIR)$(tmpfilesdir)/hikyaku.conf'
endif
