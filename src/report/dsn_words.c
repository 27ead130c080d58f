#include "report/dsn_words.h"

#include "base/err.h"
#include "base/mem.h"
#include "report/words.h"

#include <string.h>

/* English, Japanese. */
static const char *const phrases[DSN_PHRASE_COUNT][DSN_LANGUAGE_COUNT] = {
	[DSN_SUBJECT_FAILURE] = { "Undelivered mail returned to sender",
		"メールを配送できませんでした" },
	[DSN_SUBJECT_DELAY] = { "Delayed mail (still being tried)",
		"メールの配送が遅れています (再送を続けています)" },
	[DSN_SUBJECT_SUCCESS] = { "Successful mail delivery report",
		"メールの配送を完了しました" },
	[DSN_GREETING] = { "This is the mail system at %1.",
		"%1 のメール配送システムからのお知らせです。" },
	[DSN_OPENS_FAILURE] = { "Your message of %1 could not be delivered to the "
				"recipients below. It will not be tried again.",
		"%1 にお送りになったメールを、次の宛先に配送できませんでした。"
		"再送は行いません。" },
	[DSN_OPENS_LOST] = { "A message of %1 without a sender, most likely a notice "
			     "like this one, could not be delivered to the recipients "
			     "below. It will not be tried again.",
		"%1 の差出人のないメール (このような通知と思われます) を、"
		"次の宛先に配送できませんでした。再送は行いません。" },
	[DSN_OPENS_DELAY] = { "Your message of %1 has not been delivered to the "
			      "recipients below yet. You do not need to send it again: "
			      "it is still being tried.",
		"%1 にお送りになったメールを、次の宛先にまだ配送できていません。"
		"再送を続けていますので、送り直す必要はありません。" },
	[DSN_OPENS_SUCCESS] = { "You asked to be told what becomes of your message of "
				"%1. This is it, for the recipients below.",
		"%1 にお送りになったメールについて、ご依頼のあった配送の結果を"
		"次の宛先ごとにお知らせします。" },
	[DSN_RELAYED] = { "It was handed over to the mail server %1. That server sends "
			  "no such notices of its own: this is the last that is known "
			  "here.",
		"メールサーバー %1 に引き渡しました。そのサーバーは配送の結果を"
		"通知しないため、こちらで分かるのはここまでです。" },
	[DSN_RELAYED_NOWHERE] = { "It was taken, and no more will be told of it.",
		"受け付けましたが、この後の結果は通知されません。" },
	[DSN_DELIVERED] = { "It was delivered.", "配送しました。" },
	[DSN_SAID] = { "%1 said: %2", "%1 の応答: %2" },
	[DSN_SAID_BY_PEER] = { "The other side said: %1", "相手側の応答: %1" },
	[DSN_REASON] = { "What happened: %1", "経過: %1" },
	[DSN_NO_REASON] = { "No reason is known.", "理由は分かっていません。" },
	[DSN_MAY_HAVE_ARRIVED] = { "It may have been delivered all the same: the "
				   "connection broke before the other side's answer. Ask "
				   "the recipient before you send it again.",
		"相手側の応答の前に接続が切れたため、届いている可能性もあります。"
		"送り直す前に、宛先の方にお確かめください。" },
	[DSN_GIVES_UP_ON] = { "It will be given up on %1.",
		"%1 まで再送し、それでも配送できないときは中止します。" },
	[DSN_HELP] = { "If you need help, write to <%1> and enclose this notice.",
		"お困りのときは、この通知を添えて <%1> にお問い合わせください。" },
	[DSN_LOG_TITLE] = { "What was tried, the latest last:",
		"配送の記録 (新しいものほど後):" },
	[DSN_LOG_EARLIER] = { "... %1 earlier attempts are not shown",
		"... これより前の %1 件は省略しました" },
	[DSN_LOG_EARLIER_ONE] = { "... one earlier attempt is not shown",
		"... これより前の 1 件は省略しました" },
	[DSN_LOG_HEADING] = { "%1, attempt %2", "%1 (%2 回目)" },
	[DSN_LOG_NO_HOST] = { "no host was found", "配送先のホストが見つかりません" },
	[DSN_LOG_NO_ADDRESS] = { "%1, not reached", "%1 (接続できず)" },
	[DSN_LOG_TLS] = { "%1, with %2", "%1 (%2)" },
	[DSN_LOG_PLAINTEXT] = { "%1, without TLS", "%1 (TLS なし)" },
	[DSN_LOG_NO_TLS_YET] = { "%1, TLS was not reached", "%1 (TLS の開始前)" },
	[DSN_LOG_SAID] = { "the host said \"%1\"", "ホストの応答「%1」" },
	[DSN_LOG_TAKEN] = { "the host took it", "ホストが受け付けました" },
	[DSN_LOG_MORE] = { "and %1 more", "他 %1 件" },
};

const char *dsn_phrase(enum dsn_language language, enum dsn_phrase phrase)
{
	return phrases[phrase][language];
}

void dsn_phrase_add(struct buf *out, enum dsn_language language, enum dsn_phrase phrase,
	const char *first, const char *second)
{
	for (const char *s = dsn_phrase(language, phrase); *s; s++) {
		if (s[0] != '%') {
			buf_addc(out, *s);
			continue;
		}
		const char *value = *++s == '1' ? first : second;
		ASSERT(value);
		buf_addstr(out, value);
	}
}

/* ---- status codes, RFC 3463 ---- */

/* What the sender can do. */
enum advice {
	ADVICE_FIX_LOCAL_PART,
	ADVICE_FIX_DOMAIN,
	ADVICE_FIX_ADDRESS,
	ADVICE_ASK_RECIPIENT,
	ADVICE_ASK_ADMINISTRATOR,
	ADVICE_MAKE_ROOM,
	ADVICE_SEND_LATER,
	ADVICE_SEND_SMALLER,
	ADVICE_SEND_TO_FEWER,
	ADVICE_USE_ASCII,
	ADVICE_SEND_PLAIN,
	ADVICE_READ_REPLY,
	ADVICE_COUNT
};
static const char *const advices[ADVICE_COUNT][DSN_LANGUAGE_COUNT] = {
	[ADVICE_FIX_LOCAL_PART] = { "Look for slips in the part of the address before "
				    "the @, and send the message again to the right one.",
		"アドレスの @ より前に誤りがないか確かめ、正しいアドレスに"
		"お送りください。" },
	[ADVICE_FIX_DOMAIN] = { "Look for slips in the part of the address after the @. "
				"If it is right, reach the recipient in another way.",
		"アドレスの @ より後に誤りがないか確かめてください。正しい場合は、"
		"他の方法で宛先の方に連絡してください。" },
	[ADVICE_FIX_ADDRESS] = { "Look for slips in the address, or reach the recipient "
				 "in another way.",
		"アドレスに誤りがないか確かめるか、他の方法で宛先の方に"
		"連絡してください。" },
	[ADVICE_ASK_RECIPIENT] = { "Ask the recipient for the new address in another "
				   "way.",
		"他の方法で新しいアドレスをお尋ねください。" },
	[ADVICE_ASK_ADMINISTRATOR] = { "Ask your mail administrator to look at it.",
		"メールの管理者に調査を依頼してください。" },
	[ADVICE_MAKE_ROOM] = { "Let the recipient know in another way, and send the "
			       "message again later.",
		"他の方法で宛先の方に知らせ、後でもう一度お送りください。" },
	[ADVICE_SEND_LATER] = { "Send the message again later, or reach the recipient in "
				"another way.",
		"後でもう一度送るか、他の方法で宛先の方に連絡してください。" },
	[ADVICE_SEND_SMALLER] = { "Send it in smaller parts, or leave large files where "
				  "the recipient can fetch them.",
		"分けて送るか、大きなファイルは宛先の方が取り出せる場所に置いてください"
		"。" },
	[ADVICE_SEND_TO_FEWER] = { "Send it to fewer recipients at a time.",
		"宛先を分けてお送りください。" },
	[ADVICE_USE_ASCII] = { "Use addresses that have none.",
		"ASCII 文字だけのアドレスをお使いください。" },
	[ADVICE_SEND_PLAIN] = { "Send it in another form, as plain text for one.",
		"プレーンテキストなど、別の形式でお送りください。" },
	[ADVICE_READ_REPLY] = { "What was said may tell why. If it does not, reach the "
				"recipient in another way, or ask your mail "
				"administrator.",
		"理由は応答にある場合があります。分からないときは、他の方法で宛先の方に"
		"連絡するか、メールの管理者にご相談ください。" },
};

/* code: without its class; "1" stands for all that begins so. The first that fits
 * counts. */
static const struct {
	const char *code;
	enum advice advice;
	const char *what[DSN_LANGUAGE_COUNT];
} meanings[] = {
	{ "1.1", ADVICE_FIX_LOCAL_PART,
		{ "There is no such mailbox.",
			"そのアドレスのメールボックスはありません。" } },
	{ "1.2", ADVICE_FIX_DOMAIN,
		{ "The domain of the address does not exist, or takes no mail.",
			"アドレスのドメインが存在しないか、メールを受け取れません。" } },
	{ "1.6", ADVICE_ASK_RECIPIENT,
		{ "The recipient has moved, and left no address.",
			"宛先の方は移転し、新しいアドレスは分かりません。" } },
	{ "1.7", ADVICE_ASK_ADMINISTRATOR,
		{ "The other side does not accept the sender's address.",
			"相手側が差出人のアドレスを受け付けません。" } },
	{ "1.8", ADVICE_ASK_ADMINISTRATOR,
		{ "The other side does not accept the sender's domain.",
			"相手側が差出人のドメインを受け付けません。" } },
	{ "1.10", ADVICE_FIX_DOMAIN,
		{ "The domain of the address declares that it takes no mail.",
			"アドレスのドメインはメールを受け取らないと宣言しています。" } },
	{ "1", ADVICE_FIX_ADDRESS,
		{ "The other side does not accept the address.",
			"相手側がこのアドレスを受け付けません。" } },
	{ "2.2", ADVICE_MAKE_ROOM,
		{ "The mailbox is full.", "宛先のメールボックスがいっぱいです。" } },
	{ "2.3", ADVICE_SEND_SMALLER,
		{ "The message is larger than the recipient may get.",
			"メールが宛先の方の受け取れる大きさを超えています。" } },
	{ "2", ADVICE_SEND_LATER,
		{ "The mailbox does not take mail now.",
			"宛先のメールボックスは今、メールを受け取れません。" } },
	{ "3.4", ADVICE_SEND_SMALLER,
		{ "The message is larger than the other side's mail server takes.",
			"メールが相手側のサーバーの受け取れる大きさを超えています。" } },
	{ "3", ADVICE_SEND_LATER,
		{ "The other side's mail server has a trouble of its own.",
			"相手側のメールサーバーに問題があります。" } },
	{ "4.4", ADVICE_FIX_DOMAIN,
		{ "No mail server was found for the domain of the address.",
			"アドレスのドメインのメールサーバーが見つかりません。" } },
	{ "4.6", ADVICE_ASK_ADMINISTRATOR,
		{ "The message was going round in circles.",
			"メールがサーバーの間で循環していました。" } },
	{ "4.7", ADVICE_SEND_LATER,
		{ "It could not be delivered in the time that there was for it.",
			"期限までに配送できませんでした。" } },
	{ "4", ADVICE_SEND_LATER,
		{ "The other side's mail server could not be reached.",
			"相手側のメールサーバーに接続できませんでした。" } },
	{ "5.3", ADVICE_SEND_TO_FEWER,
		{ "The message has more recipients than the other side takes.",
			"宛先の数が多すぎます。" } },
	{ "6.7", ADVICE_USE_ASCII,
		{ "The other side's mail server does not take addresses or header "
		  "fields with characters outside of ASCII.",
			"相手側のメールサーバーは、アドレスやヘッダーの ASCII 以外の"
			"文字を受け付けません。" } },
	{ "6", ADVICE_SEND_PLAIN,
		{ "The other side cannot take the content of the message.",
			"相手側がメールの内容を受け取れません。" } },
	{ "7", ADVICE_READ_REPLY,
		{ "The message was refused by a rule of the other side's.",
			"相手側の規則により、メールが拒否されました。" } },
};

static bool is_of(const char *code, const char *pattern)
{
	size_t len = strlen(pattern);
	return strncmp(code, pattern, len) == 0 && (!code[len] || code[len] == '.');
}

struct dsn_meaning dsn_meaning(enum dsn_language language, const char *status)
{
	const char *code = status && status[0] ? strchr(status, '.') : NULL;
	for (size_t i = 0; code && i < ARRAY_SIZE(meanings); i++) {
		if (is_of(code + 1, meanings[i].code))
			return (struct dsn_meaning){ meanings[i].what[language],
				advices[meanings[i].advice][language] };
	}
	return (struct dsn_meaning){ 0 };
}

/* ---- failure classes ---- */

static const struct {
	const char *failure, *japanese;
} failures[] = {
	{ "no_starttls", "ホストが STARTTLS に対応していません" },
	{ "starttls_refused", "ホストが STARTTLS を拒否しました" },
	{ "tls_init", "こちら側で TLS を開始できません" },
	{ "tls_handshake", "TLS ハンドシェイクに失敗しました" },
	{ "tls_session", "TLS 通信中に接続が切れました" },
	{ "in_doubt", "送信後、応答の前に接続が切れました (届いた可能性があります)" },
	{ "policy", "TLS について求められている条件を満たしません" },
	{ "smtp_temporary", "ホストが一時的に拒否しました" },
	{ "smtp_permanent", "ホストが拒否しました" },
	{ "connect", "接続できません" },
	{ "dns", "配送先のホストが見つかりません" },
	{ "session", "通信が途中で終わりました" },
};

static const char *const of_us[WORDS_POLICY_COUNT] = {
	[WORDS_POLICY_CERTIFICATE] = "接続していません",
	[WORDS_POLICY_LOGIN] = "ログインできません",
};

const char *dsn_failure(enum dsn_language language, const struct event_attempt *a)
{
	if (language != DSN_JAPANESE || !a->failure)
		return words_failure(a);
	if (words_policy(a) != WORDS_POLICY_TLS)
		return of_us[words_policy(a)];
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		if (strcmp(a->failure, failures[i].failure) == 0)
			return failures[i].japanese;
	}
	return words_failure(a);
}
