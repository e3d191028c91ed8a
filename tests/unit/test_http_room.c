/* A full house: which connection makes room for a new one, and which never does. */
#include "http_fixture.h"

enum { PLACES = 4, GRACE_MS = 500, ROOM_MS = 250 /* how soon another server's clients get room */ };

/* N places; how long a connection may be idle before it yields is set where it matters. */
static struct fixture *full_at(void **state, int n)
{
    struct fixture *f = *state;
    f->limits.max_connections = n;
    fixture_restart(f);
    return f;
}

/* One that has been answered and is kept open. */
static struct client answered(struct fixture *f)
{
    struct client c = client_connect(f);
    client_send(&c, GET("/number"));
    client_await(&c, "200 OK");
    client_forget(&c);
    return c;
}

/* One that the server knows of, and that has sent SAID (maybe nothing). */
static struct client connected(struct fixture *f, const char *said)
{
    size_t open = http_server_open(f->server);
    struct client c = client_connect(f);
    fixture_await_open(f, open + 1);
    client_send(&c, said);
    return c;
}

static uint64_t yielded(const struct fixture *f)
{
    return fixture_count(&http_server_counters(f->server)->yielded_connections);
}

static bool is_closed(struct client *c)
{
    for (int i = 0; i < 20 && !c->eof; i++) {
        fixture_turn(c->fixture);
        client_read(c);
    }
    return c->eof;
}

static void assert_refused(struct fixture *f)
{
    struct client c = client_connect(f);
    client_await(&c, "HTTP/1.1 503 ");
    client_await_end(&c);
    client_close(&c);
}

static void assert_served(struct fixture *f)
{
    struct client c = answered(f);
    client_close(&c);
}

/* Silence costs nobody else anything, however many are silent: one after another the oldest goes, without a
 * word. */
static void test_silent_ones_go_first_and_at_once(void **state)
{
    struct fixture *f = full_at(state, PLACES);
    struct client silent[PLACES];
    struct client c[PLACES];
    for (size_t i = 0; i < PLACES; i++)
        silent[i] = connected(f, "");
    for (size_t i = 0; i < PLACES; i++) {
        c[i] = answered(f);
        assert_true(is_closed(&silent[i]));
        assert_int_equal(silent[i].in.len, 0);
        if (i + 1 < PLACES)
            assert_false(is_closed(&silent[i + 1]));
    }
    assert_int_equal(yielded(f), PLACES);
    assert_refused(f); /* all have just been answered */
    for (size_t i = 0; i < PLACES; i++) {
        client_send(&c[i], GET("/number"));
        client_await(&c[i], "200 OK");
        client_close(&c[i]);
        client_close(&silent[i]);
    }
}

/* New clients do not push each other out before they have spoken; but not for ever. */
static void test_a_few_new_ones_have_half_a_second(void **state)
{
    struct fixture *f = full_at(state, 8);
    struct client held[7];
    for (size_t i = 0; i < 7; i++)
        held[i] = answered(f);
    struct client fresh = connected(f, "\r\n"); /* an empty line is nothing said */
    assert_refused(f);
    assert_int_equal(yielded(f), 0);
    fixture_pass(f, GRACE_MS + 20);
    assert_served(f);
    assert_true(is_closed(&fresh));
    assert_int_equal(fresh.in.len, 0);
    assert_int_equal(yielded(f), 1);
    for (size_t i = 0; i < 7; i++)
        client_close(&held[i]);
    client_close(&fresh);
}

/* A slow head and a slow body are told why. Who has been at it for longest goes first, before a client that
 * has just come and has not spoken yet. */
static void test_incomplete_first_requests(void **state)
{
    struct fixture *f = full_at(state, 3);
    struct client first = connected(f, "GET / HT");
    client_await_read(&first);
    fixture_pass(f, 1);
    struct client second = connected(f, POST("/", "Content-Length: 9\r\n", "slow"));
    client_await_read(&second);
    fixture_pass(f, 1);
    struct client silent = connected(f, "");
    struct client a = answered(f);
    client_await(&first, "HTTP/1.1 503 ");
    client_await(&first, "Connection: close\r\n");
    client_await_end(&first);
    struct client b = answered(f);
    client_await(&second, "HTTP/1.1 503 ");
    client_await_end(&second);
    assert_false(is_closed(&silent));
    struct client c = answered(f);
    assert_true(is_closed(&silent));
    assert_int_equal(silent.in.len, 0);
    assert_int_equal(yielded(f), 3);
    struct client *all[] = {&first, &second, &silent, &a, &b, &c};
    for (size_t i = 0; i < 6; i++)
        client_close(all[i]);
    fixture_await_open(f, 0);
}

static void test_the_longest_idle_goes_next(void **state)
{
    struct fixture *f = full_at(state, 3);
    struct client a = answered(f);
    struct client b = answered(f);
    struct client c = answered(f);
    assert_refused(f);
    client_send(&a, GET("/number")); /* now B is the one that was answered first */
    client_await(&a, "200 OK");
    client_forget(&a);
    f->limits.idle_yields_ms = 0;
    struct client d = answered(f);
    assert_true(is_closed(&b));
    assert_int_equal(b.in.len, 0);
    assert_false(is_closed(&a) || is_closed(&c));
    struct client *all[] = {&a, &b, &c, &d};
    for (size_t i = 0; i < 4; i++)
        client_close(all[i]);
}

/* Whose request is answered, who is slow to read, who is sending again: never. */
static void test_who_is_at_work_stays(void **state)
{
    struct fixture *f = full_at(state, 4);
    memset(buf_reserve(&f->big, (size_t)12 << 20), 'x', (size_t)12 << 20);
    f->big.len = (size_t)12 << 20;
    struct client asks = connected(f, GET("/later"));
    struct client reads = connected(f, GET("/big"));
    struct client head = answered(f);
    struct client body = answered(f);
    client_send(&head, "GET /num");
    client_send(&body, POST("/", "Content-Length: 9\r\n", "slow"));
    fixture_await_pending(f, 1);
    f->limits.idle_yields_ms = 0;
    fixture_pass(f, GRACE_MS + 20);
    assert_refused(f);
    assert_int_equal(yielded(f), 0);
    fixture_answer_pending(f, "at last");
    client_await(&asks, "at last");
    client_send(&head, "ber HTTP/1.1\r\n" HOST "\r\n");
    client_await(&head, "200 OK");
    client_send(&body, " body");
    client_await(&body, "slow body");
    client_close(&asks);
    client_close(&reads);
    client_close(&head);
    client_close(&body);
}

/* All at once, before the server has read anything: whose request has come is served. */
static void test_a_flood_does_not_push_out_whose_request_has_come(void **state)
{
    struct fixture *f = full_at(state, PLACES);
    struct client honest[2];
    struct client flood[30];
    for (size_t i = 0; i < 2; i++) {
        honest[i] = client_connect(f);
        assert_true(send(honest[i].fd, GET("/number"), strlen(GET("/number")), 0) > 0);
    }
    for (size_t i = 0; i < 30; i++)
        flood[i] = client_connect(f);
    for (size_t i = 0; i < 2; i++) {
        client_await(&honest[i], "200 OK");
        client_close(&honest[i]);
    }
    for (size_t i = 0; i < 30; i++)
        client_close(&flood[i]);
}

/* Who has its last answer and does not go keeps nobody out for long. */
static void test_lingering_ones_make_room(void **state)
{
    struct fixture *f = full_at(state, PLACES);
    struct client c[PLACES];
    for (size_t i = 0; i < PLACES; i++) {
        c[i] = client_connect(f);
        client_send(&c[i], "nonsense\r\n\r\n");
        client_await(&c[i], "HTTP/1.1 400 ");
    }
    assert_refused(f);
    fixture_pass(f, GRACE_MS + 20);
    assert_served(f);
    assert_int_equal(yielded(f), 1);
    for (size_t i = 0; i < PLACES; i++)
        client_close(&c[i]);
}

/* Two servers with the same places: the one that has nobody to send away asks the other. */
static void test_servers_that_share_places(void **state)
{
    struct fixture *f = *state;
    struct fixture other = *f;
    struct http_places places = {0};
    f->limits.max_connections = PLACES;
    f->limits.places = &places;
    fixture_restart(f);
    other.limits = f->limits;
    fixture_listen(&other);
    struct client silent[PLACES - 1];
    for (size_t i = 0; i < PLACES - 1; i++)
        silent[i] = connected(&other, "");
    struct client mine = answered(f);
    assert_int_equal(atomic_load(&places.taken), PLACES);
    assert_refused(f);
    assert_true(atomic_load(&places.wanted));
    fixture_pass(f, ROOM_MS);
    client_await_end(&silent[0]);
    struct client c = answered(f);
    assert_int_equal(yielded(&other), 1);
    client_close(&mine);
    client_close(&c);
    for (size_t i = 0; i < PLACES - 1; i++)
        client_close(&silent[i]);
    fixture_await_open(f, 0);
    fixture_await_open(&other, 0);
    assert_int_equal(atomic_load(&places.taken), 0);
    http_server_free(other.server);
    f->limits.places = NULL;
    fixture_restart(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_silent_ones_go_first_and_at_once),
        TEST(test_a_few_new_ones_have_half_a_second),
        TEST(test_incomplete_first_requests),
        TEST(test_the_longest_idle_goes_next),
        TEST(test_who_is_at_work_stays),
        TEST(test_a_flood_does_not_push_out_whose_request_has_come),
        TEST(test_lingering_ones_make_room),
        TEST(test_servers_that_share_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
