/*
 * Versions of the libraries, as told by the folders that wrap them: of the one
 * that runs, and of the one whose headers were built with (NULL: its headers do
 * not tell). Each folder declares its own pair; this table is what `version`
 * prints. Strings are static.
 */
#ifndef CLI_VERSIONS_H
#define CLI_VERSIONS_H

const char *loop_library_version(void); /* libuv: net */
const char *loop_library_built(void);
const char *dns_library_version(void); /* c-ares: dns */
const char *dns_library_built(void);
const char *tls_library_version(void); /* GnuTLS: net */
const char *tls_library_built(void);
const char *sasl_library_version(void); /* libgsasl: sasl */
const char *sasl_library_built(void);
const char *queue_library_version(void); /* SQLite: queue */
const char *queue_library_built(void);
const char *policy_library_version(void); /* libidn2: policy */
const char *policy_library_built(void);
const char *config_library_version(void); /* libConfuse: config */
const char *config_library_built(void);

#endif
