#include "net/tls_global.h"

#include <gnutls/gnutls.h>

GNUTLS_SKIP_GLOBAL_INIT

int tls_global_init(struct err *e)
{
	int result = gnutls_global_init();
	if (result == GNUTLS_E_SUCCESS)
		return 0;
	return err_set(
		e, ERR_UNSUPPORTED, "initialize GnuTLS: %s", gnutls_strerror(result));
}
