/* A folder of dialogues as a cmocka group: one test a file. */
#ifndef TESTS_SMTP_DIALOG_FOLDER_H
#define TESTS_SMTP_DIALOG_FOLDER_H

/* folder: under tests/smtp. play gets the path of a file as *state. A file that
 * smtp_tests.mk does not name fails. Returns the exit status of the program. */
int dialog_folder_run(const char *folder, void (*play)(void **state));

#endif
