/*
 * Files of SQLite, with fewer writes to the write-ahead log.
 *
 * SQLite writes each page to the log with two calls: 24 octets of header, and
 * the page. Here what follows on what was written before is gathered, and goes
 * to the file in one call before anybody can miss it: before the log is synced,
 * read, cut, measured or closed, before the index of the log is published
 * (xShmBarrier) and before a lock on it is let go. To SQLite and to other
 * processes that is as if each write had been made at once:
 *
 *  - with synchronous=FULL a commit syncs the log before its frames are published
 *    in the index; an error of the gathered write is the sync's, and fails the
 *    commit as an error of xWrite does;
 *  - a commit that does not sync publishes after the barrier;
 *  - nobody else writes to the log before the lock of the writer is let go.
 *
 * What could not be written is forgotten, as the transaction is: a later flush
 * must not bring to the log a commit that was told to have failed.
 *
 * A process that commits once also saves the sync of the directory that others have
 * done before, see open_behind.
 *
 * The database itself, its locks and the index go straight to the default VFS.
 * This one has a name of its own: other users of SQLite in the process keep
 * theirs.
 */
#ifndef QUEUE_SQLITE_VFS_H
#define QUEUE_SQLITE_VFS_H

/* For sqlite3_open_v2. Registers it the first time; any thread. */
const char *sqlite_vfs_name(void);

#endif
