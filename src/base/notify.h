/*
 * Tells the service manager how far we are: systemd's protocol (sd_notify(3)), which
 * is one datagram to the socket that NOTIFY_SOCKET names. Without that variable nothing
 * happens; an error is nobody's business but the manager's, who notices silence.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* Takes the variable out of the environment, where our children would find it. Before
 * there are threads. */
void notify_init(void);

void notify_ready(void);
void notify_reloading(void); /* until notify_ready */
void notify_stopping(void);

#endif
