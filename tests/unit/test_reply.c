/* What is read of a Redis server's bytes: replies within limits, in whatever pieces they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "redis/reply.h"

/* A context that never reads by itself: bytes are fed. */
static redisContext *new_context(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    redisContext *redis = redisConnectFd(ends[0]);
    assert_non_null(redis);
    return redis;
}

/*
 * Feeds LEN bytes, AT_ONCE at a time, until something has come of them. Of many bytes only the last are fed
 * in small pieces: the reader begins a line anew with each piece, so all of a long line would take seconds.
 */
static enum reply_read feed(
    redisContext *redis, const char *bytes, size_t len, size_t at_once, redisReply **reply)
{
    struct reply_progress progress = {0};
    enum reply_read read = REPLY_NONE_YET;
    size_t n = len > 1000 && at_once < 100 ? len - 100 : at_once;
    for (size_t at = 0; at < len && read == REPLY_NONE_YET; at += n, n = at_once) {
        if (n > len - at)
            n = len - at;
        assert_int_equal(redisReaderFeed(redis->reader, bytes + at, n), REDIS_OK);
        read = reply_next(redis, &progress, reply);
    }
    return read;
}

static void repeat(struct buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_append_string(b, text);
}

static void check(const char *bytes, size_t len, enum reply_read wanted, const char *why)
{
    static const size_t pieces[] = {1, 7, 1 << 14, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        redisReply *reply = NULL;
        redisContext *redis = new_context();
        enum reply_read read = feed(redis, bytes, len, pieces[i], &reply);
        if (read != wanted)
            fail_msg("%.40s…: %d, not %d (%s)", bytes, read, wanted, redis->errstr);
        assert_int_equal(reply != NULL, wanted == REPLY_READ);
        assert_int_equal(redis->err != 0, wanted == REPLY_BROKEN);
        if (why != NULL)
            assert_string_equal(redis->errstr, why);
        freeReplyObject(reply);
        redisFree(redis);
    }
}

#define UNASKED "a reply of a type that was not asked for"
#define TOO_LONG "a reply that is too long"
#define TOO_MANY "a reply with too many elements"
#define TOO_DEEP "arrays that are nested too deeply"
#define ENDLESS "a line without an end"

static void test_replies(void **state)
{
    static const char *const good[] = {"+OK\r\n", "-ERR no\r\n", ":-9223372036854775808\r\n",
        ":1675000800123\r\n", "$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n",
        "*2\r\n$1\r\na\r\n:1\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+x\r\n",
        "*3\r\n$-1\r\n*-1\r\n*0\r\n", "-\r\n"};
    static const char *const unfinished[] = {"", "+", "+O", ":12345678901234567890", "$", "$12",
        "$33554432\r\nabc", "*2\r\n:1\r\n", "*1048576\r\n", "-99999999999\n"};
    static const char *const broken[] = {
        "hello\r\n", ":x\r\n", ":99999999999999999999\r\n", "$-2\r\n", "*-2\r\n", "$x\r\n", "*x\r\n", "\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check(good[i], strlen(good[i]), REPLY_READ, NULL);
    for (size_t i = 0; i < sizeof(unfinished) / sizeof(unfinished[0]); i++)
        check(unfinished[i], strlen(unfinished[i]), REPLY_NONE_YET, NULL);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        check(broken[i], strlen(broken[i]), REPLY_BROKEN, NULL);
}

static void test_limits(void **state)
{
    static const struct {
        const char *bytes;
        const char *why;
    } rows[] = {{"*2147483647\r\n", TOO_MANY}, {"*1048577\r\n", TOO_MANY},
        {"*600000\r\n*600000\r\n", TOO_MANY}, {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", TOO_DEEP},
        {"$2147483647\r\n", TOO_LONG}, {"$33554433\r\nabc", TOO_LONG},
        {"*2\r\n:1\r\n$999999999999\r\n", TOO_LONG}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].bytes, strlen(rows[i].bytes), REPLY_BROKEN, rows[i].why);
}

static void test_limits_that_take_many_bytes(void **state)
{
    struct buf b = {0};
    (void)state;
    for (const char *kind = "+-:$*"; *kind != '\0'; kind++) {
        buf_clear(&b);
        buf_append_char(&b, *kind);
        repeat(&b, "1", REPLY_LINE_MAX - 1);
        check(b.data, b.len, REPLY_NONE_YET, NULL);
        repeat(&b, "1", 1);
        check(b.data, b.len, REPLY_BROKEN, ENDLESS);
    }
    buf_clear(&b);
    buf_append_string(&b, "*40\r\n");
    for (int i = 0; i < 33; i++) { /* each is short enough, all of them are not */
        buf_append_string(&b, "$1048576\r\n");
        repeat(&b, "0123456789abcdef", 1048576 / 16);
        buf_append_string(&b, "\r\n");
    }
    check(b.data, b.len, REPLY_BROKEN, TOO_LONG);
    buf_free(&b);
}

/* Of another version of the protocol; hiredis 0.14 knows none of them, and later ones all. */
static void test_types_that_are_not_asked_for(void **state)
{
    static const char *const rows[] = {"%1\r\n+a\r\n:1\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n", "#t\r\n",
        ",1.5\r\n", "=7\r\ntxt:abc\r\n", "(12345678901234567890\r\n", "*1\r\n%1\r\n+a\r\n:1\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i], strlen(rows[i]), REPLY_BROKEN, HIREDIS_MAJOR >= 1 ? UNASKED : NULL);
}

/* One after the other, and each with the whole of the limits. */
static void test_replies_in_a_row(void **state)
{
    struct buf b = {0};
    struct reply_progress progress = {0};
    redisContext *redis = new_context();
    redisReply *reply;
    (void)state;
    for (int i = 0; i < 4; i++) {
        buf_append_string(&b, "*400000\r\n");
        repeat(&b, ":1\r\n", 400000);
    }
    buf_append_string(&b, "+end\r\n+begun");
    assert_int_equal(redisReaderFeed(redis->reader, b.data, b.len), REDIS_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(reply_next(redis, &progress, &reply), REPLY_READ);
        assert_int_equal(reply->elements, 400000);
        freeReplyObject(reply);
        assert_true(reply_unread(redis));
    }
    assert_int_equal(reply_next(redis, &progress, &reply), REPLY_READ);
    assert_string_equal(reply->str, "end");
    freeReplyObject(reply);
    assert_int_equal(reply_next(redis, &progress, &reply), REPLY_NONE_YET);
    assert_true(reply_unread(redis));
    redisFree(redis);
    buf_free(&b);
}

static redisReply *parse(const char *bytes)
{
    redisReply *reply = NULL;
    redisContext *redis = new_context();
    assert_int_equal(feed(redis, bytes, strlen(bytes), SIZE_MAX / 2, &reply), REPLY_READ);
    redisFree(redis);
    return reply;
}

static void test_typed_access(void **state)
{
    static const char *const others[] = {"+1\r\n", "-1\r\n", "$-1\r\n", "*1\r\n:1\r\n", "*0\r\n"};
    static const char *const numbers[] = {"$1\r\n7\r\n", "$2\r\n-7\r\n", "$19\r\n9223372036854775807\r\n"};
    static const char *const no_numbers[] = {"$0\r\n\r\n", "$1\r\n-\r\n", "$2\r\n7 \r\n", "$2\r\n 7\r\n",
        "$2\r\n+7\r\n", "$3\r\n0x7\r\n", "$19\r\n9223372036854775808\r\n"};
    struct slice text;
    int64_t number = 5;
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        redisReply *reply = parse(others[i]);
        assert_false(reply_string(reply, &text));
        assert_false(reply_integer(reply, &number));
        assert_false(reply_number(reply, &number));
        assert_string_equal(reply_text(reply), "");
        assert_null(reply_at(reply, 1));
        assert_int_equal(reply_is_error(reply), others[i][0] == '-');
        freeReplyObject(reply);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        redisReply *reply = parse(numbers[i]);
        assert_true(reply_number(reply, &number));
        assert_int_equal(number, strtoll(reply->str, NULL, 10));
        freeReplyObject(reply);
    }
    number = 5;
    for (size_t i = 0; i < sizeof(no_numbers) / sizeof(no_numbers[0]); i++) {
        redisReply *reply = parse(no_numbers[i]);
        assert_false(reply_number(reply, &number));
        assert_int_equal(number, 5);
        freeReplyObject(reply);
    }
    assert_false(reply_string(NULL, &text) || reply_integer(NULL, &number) || reply_number(NULL, &number) ||
                 reply_is_array(NULL) || reply_is_error(NULL));
    assert_null(reply_at(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limits_that_take_many_bytes),
        cmocka_unit_test(test_types_that_are_not_asked_for),
        cmocka_unit_test(test_replies_in_a_row),
        cmocka_unit_test(test_typed_access),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
