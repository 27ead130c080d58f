/*
 * What a notice says to the person who sent the message: what happened, to whom,
 * why, and what can be done. As paragraphs of text with CRLF line ends, before and
 * after the retry log.
 */
#ifndef REPORT_DSN_TEXT_H
#define REPORT_DSN_TEXT_H

#include "report/dsn.h"

void dsn_text_before(const struct dsn_request *request, struct buf *out);
void dsn_text_after(const struct dsn_request *request, struct buf *out);

#endif
