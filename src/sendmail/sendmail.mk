noinst_LIBRARIES += libsendmail.a
libsendmail_a_SOURCES = \
	src/sendmail/complete.c src/sendmail/complete.h \
	src/sendmail/dot.c src/sendmail/dot.h \
	src/sendmail/options.c src/sendmail/options.h \
	src/sendmail/person.c src/sendmail/person.h \
	src/sendmail/queue_list.c src/sendmail/queue_list.h \
	src/sendmail/queue_run.c src/sendmail/queue_run.h \
	src/sendmail/say.c src/sendmail/say.h \
	src/sendmail/smtp.c src/sendmail/smtp.h \
	src/sendmail/submit.c src/sendmail/submit.h
libsendmail_a_CPPFLAGS = $(AM_CPPFLAGS) -DHIKYAKU_BINDIR='"$(bindir)"'

bin_PROGRAMS += hikyaku-sendmail
hikyaku_sendmail_SOURCES = src/sendmail/main.c
# Without what delivers: no TLS, no resolver, no loop. Most of the time this program
# takes is the linker's.
hikyaku_sendmail_LDADD = libsendmail.a libintake.a libconfig.a libsmtp.a libqueue.a \
	libmail.a libpolicy.a libbase.a \
	$(IDN2_LIBS) $(SQLITE_LIBS) $(CONFUSE_LIBS) -lpthread
EXTRA_DIST += src/sendmail/README.md

# The names that others run it by, in a directory of our own: the system's sendmail is
# whose package it belongs to.
install-exec-hook:
	$(MKDIR_P) '$(DESTDIR)$(pkglibexecdir)'
	cd '$(DESTDIR)$(pkglibexecdir)' && for name in sendmail mailq newaliases; do \
		rm -f $$name && $(LN_S) '$(bindir)/hikyaku-sendmail' $$name || exit 1; done

uninstall-hook:
	cd '$(DESTDIR)$(pkglibexecdir)' && rm -f sendmail mailq newaliases
