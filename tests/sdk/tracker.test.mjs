/*
 * The SDK in a virtual world: examples of what the network, the computer and the learner do, then seeded random lives. What is
 * credited in the end is what was played, a second a stretch aside, and nothing that was not.
 *
 *     node --test tests/sdk/        SEEDS=1000 for a longer search, SEED=7 for one life
 */
import assert from 'node:assert/strict';
import test from 'node:test';

import {World} from './world.mjs';

const {createBackoff} = await import('../../daemon/web/sdk/backoff.js');
const {createMinuted} = await import('../../daemon/web/sdk/track.js');

const LATENCY_MS = 2500; // a run may lie as much before what was played as a session's answer took

function openPage(world, options = {}) {
  world.newPage();
  const results = [];
  const tracker = createMinuted('https://daemon.example/v1/minuted.js').track(world.video, {
    lessonId: 'lesson-1', getToken: () => 'jwt', onResult: (result, run) => results.push({...result, ...run}), ...options});
  return {tracker, results};
}

/* Lets everything be delivered. */
async function settle(world) {
  world.network = 'good';
  world.throttle = 1;
  world.video.pause();
  world.endStretch();
  world.window.dispatchEvent(new Event('online'));
  await world.pass(90000);
}

function agree(world, more = 0) {
  const credited = world.daemon.seconds.size, played = world.playedSeconds();
  const slack = world.played.length + world.daemon.sessions.size + more;
  assert.deepEqual(world.daemon.refusals, []);
  assert.ok(credited <= played + world.played.length + world.untold, `${credited} s credited, ${played} s played in ${world.played.length}`);
  assert.ok(credited >= played - slack, `${credited} s credited, ${played} s played in ${world.played.length}`);
  if (!world.wallWasSet) assert.deepEqual(world.unplayedSeconds(LATENCY_MS), []);
}

async function started(seed = 1, options = {}) {
  const world = new World(seed), page = openPage(world, options);
  await world.pass(1000);
  world.video.play();
  return {world, ...page};
}

test('a minute of playing is a minute', async () => {
  const {world, results} = await started();
  await world.pass(60000);
  await settle(world);
  agree(world);
  assert.ok(results.every(result => result.status === 'accepted'));
});

test('a seek is no playing', async () => {
  const {world} = await started();
  await world.pass(10000);
  world.video.seek(500);
  world.endStretch();
  await world.pass(10000);
  await settle(world);
  agree(world);
});

test('a stall that nobody tells is not claimed', async () => {
  const {world} = await started();
  await world.pass(10300);
  world.video.stall(false);
  world.endStretch();
  await world.pass(30000);
  world.video.recover();
  await world.pass(5000);
  await settle(world);
  agree(world);
});

for (const [what, states] of Object.entries({
  'readyState 2': {readyState: 2}, 'readyState 0': {readyState: 0}, seeking: {seeking: true}, ended: {ended: true}}))
  test(`what is seen to play is believed, whatever the element says: ${what}`, async () => {
    const {world} = await started();
    await world.pass(5000);
    world.video.seek(300);
    world.endStretch();
    world.video.moving = () => !world.video.paused;
    Object.assign(world.video, states);
    await world.pass(60000);
    await settle(world);
    agree(world);
    assert.ok(world.daemon.seconds.size >= 63, `${world.daemon.seconds.size} s`);
  });

for (const [what, states] of Object.entries({'readyState 2': {readyState: 2}, 'readyState 4': {readyState: 4}, seeking: {seeking: true}}))
  test(`what stands still is not claimed, whatever the element says: ${what}`, async () => {
    const {world} = await started();
    await world.pass(5000);
    world.endStretch();
    world.video.moving = () => false;
    Object.assign(world.video, states);
    for (let i = 0; i < 200; i++) {
      world.video.say(i % 3 ? 'timeupdate' : 'waiting');
      await world.pass(700);
    }
    await settle(world);
    agree(world);
  });

test('stalls that are told cost their seconds, however short and many they are', async () => {
  const {world} = await started();
  for (let i = 0; i < 60; i++) {
    await world.pass(1000);
    world.video.stall(true);
    await world.pass(500);
    world.video.recover();
  }
  await settle(world);
  assert.ok(Math.abs(world.daemon.seconds.size - 60) <= 3, `${world.daemon.seconds.size} s of 60 are credited`);
});

test('dragging about is no playing', async () => {
  const {world} = await started();
  await world.pass(5000);
  world.endStretch();
  world.video.moving = () => false;
  for (let i = 0; i < 100; i++) {
    world.video.seek(100 + i);
    await world.pass(200);
  }
  await settle(world);
  agree(world);
});

test('timers once a minute lose nothing', async () => {
  const {world} = await started();
  world.hidden = true;
  world.throttle = 60000;
  world.hiddenTimeupdate = Infinity;
  await world.pass(400000);
  await settle(world);
  agree(world);
});

test('an hour without network is delivered afterwards, joined to runs of a minute', async () => {
  const {world, results} = await started();
  await world.pass(20000);
  world.network = 'down';
  await world.pass(3600000);
  await settle(world);
  agree(world);
  assert.ok(results.length <= 120, `${results.length} runs`);
});

test('Retry-After is obeyed', async () => {
  const {world} = await started();
  await world.pass(10000);
  world.network = '503';
  await world.pass(60000);
  const times = world.requests.filter(r => r.url.endsWith('heartbeats') && r.at > 11000).map(r => r.at);
  assert.ok(times.length >= 3 && times.slice(1).every((at, i) => at - times[i] >= 7000), String(times));
  await settle(world);
  agree(world);
});

test('a sleeping computer claims no sleep, and what is played afterwards is not lost', async () => {
  const {world} = await started();
  await world.pass(20000);
  await world.sleep(600000);
  world.network = 'down';
  await world.pass(12000);
  world.network = 'good';
  await world.pass(60000);
  await settle(world);
  agree(world);
});

test('a session whose answer came before a sleep and was read after it is not used', async () => {
  const world = new World(2);
  world.latency = 2000;
  openPage(world);
  world.video.play();
  await world.pass(1500);
  await world.sleep(600000);
  world.latency = 100;
  await world.pass(30000);
  await settle(world);
  agree(world);
});

test('a wall clock set by an hour changes nothing', async () => {
  const {world} = await started();
  await world.pass(20000);
  world.set = 3600000;
  await world.pass(20000);
  world.set = -3600000;
  await world.pass(20000);
  await settle(world);
  agree(world);
  assert.deepEqual(world.unplayedSeconds(LATENCY_MS), []);
});

test('a sleep that no clock of the computer tells is told by the daemon', async () => {
  const {world} = await started();
  await world.pass(20000);
  world.set = -600000;
  await world.sleep(600000);
  await world.pass(20000);
  assert.equal(world.daemon.sessions.size, 2);
  const before = world.daemon.seconds.size;
  await world.pass(30000);
  await settle(world);
  world.wallWasSet = true; // until the daemon told it, seconds were claimed too early
  agree(world);
  assert.ok(world.daemon.seconds.size > before);
});

test('the return of the network is used at once', async () => {
  const {world} = await started();
  world.network = 'down';
  await world.pass(600000);
  world.network = 'good';
  world.window.dispatchEvent(new Event('online'));
  await world.pass(3000);
  assert.ok(world.daemon.seconds.size > 580, `${world.daemon.seconds.size} s`);
});

test('a session that the daemon calls over is followed by another', async () => {
  const {world} = await started();
  await world.pass(20000);
  const expired = world.daemon.expired.bind(world.daemon);
  world.daemon.expired = beat => beat.session_token === 'm1.0' || expired(beat);
  await world.pass(60000);
  await settle(world);
  agree(world, 15); // what the session held that is over
  assert.ok(world.daemon.sessions.size === 2 && world.daemon.seconds.size > 60, `${world.daemon.seconds.size} s`);
});

test('a session that ends is renewed before', async () => {
  const {world} = await started();
  await world.pass(5 * 3600000);
  await settle(world);
  agree(world);
  assert.ok(world.daemon.sessions.size >= 2);
});

test('what a closed page could not send, the next one delivers', async () => {
  const {world} = await started();
  await world.pass(20000);
  world.network = 'down';
  await world.pass(20000);
  await world.closePage(false);
  world.network = 'good';
  openPage(world);
  await settle(world);
  agree(world);
  assert.deepEqual([...world.stored.keys()], ['minuted:device']);
});

test('page-hide sends what no heartbeat has sent', async () => {
  const {world} = await started();
  await world.pass(9000);
  await world.closePage(false);
  agree(world);
});

test('a crash costs no more than the last five seconds', async () => {
  const {world} = await started();
  await world.pass(14000);
  await world.closePage(true);
  openPage(world);
  await settle(world);
  agree(world, 6);
});

for (const storage of ['refused', 'full'])
  test(`without localStorage (${storage}) a page counts as well`, async () => {
    const world = new World(3);
    world.storage = storage;
    openPage(world);
    await world.pass(1000);
    world.video.play();
    await world.pass(40000);
    await settle(world);
    agree(world);
  });

test('what is to be sent again is sent again', async () => {
  const {world, results} = await started();
  const judge = world.daemon.judge.bind(world.daemon);
  world.daemon.judge = () => ({status: 'retry', reason: 'unavailable'});
  await world.pass(40000);
  world.daemon.judge = judge;
  await settle(world);
  agree(world);
  assert.ok(results.some(result => result.status === 'retry'));
});

/* As a daemon judges the sessions of TOKENS that were opened with a key that it does not have. */
function forgetKey(world, known) {
  const judge = world.daemon.judge.bind(world.daemon);
  world.daemon.judge = (session, run) =>
    (known(session) ? judge(session, run) : {status: 'retry', reason: 'token_unknown'});
}

test('what a daemon without the key of a session does not know yet is kept, and credited when it does', async () => {
  const {world, results} = await started();
  let reloaded = false;
  forgetKey(world, () => reloaded);
  await world.pass(50000);
  assert.equal(world.daemon.seconds.size, 0);
  reloaded = true;
  await settle(world);
  agree(world);
  assert.equal(world.daemon.sessions.size, 1);
  assert.ok(results.some(result => result.reason === 'token_unknown'));
});

test('a session that every other daemon knows is kept for hours', async () => {
  const {world} = await started();
  let asked = 0;
  forgetKey(world, () => asked++ % 2);
  await world.pass(3600000);
  await settle(world);
  agree(world);
  assert.equal(world.daemon.sessions.size, 1);
});

test('a session that no daemon comes to know is followed by another, and its runs are kept', async () => {
  const {world} = await started();
  const [first] = world.daemon.sessions.values();
  let found = false;
  forgetKey(world, session => found || session !== first);
  await world.pass(600000);
  assert.equal(world.daemon.sessions.size, 2);
  assert.ok(world.daemon.seconds.size > 500, `${world.daemon.seconds.size} s`);
  found = true;
  await settle(world);
  agree(world);
});

for (const status of [401, 404])
  test(`a daemon that answers ${status} to a session, since it was not reloaded yet, is asked again`, async () => {
    const world = new World(12), answer = world.daemon.answer.bind(world.daemon), errors = [];
    let reloaded = false;
    world.daemon.answer = (path, body) => (reloaded || !path.endsWith('sessions') ? answer(path, body) : {status, body: {detail: 'not known'}});
    openPage(world, {onError: error => errors.push(error.status)});
    world.video.play();
    await world.pass(90000);
    assert.deepEqual(errors, [status]);
    reloaded = true;
    await world.pass(120000);
    await settle(world);
    agree(world);
    assert.ok(world.playedSeconds() > 55, `${world.playedSeconds()} s could be claimed`);
  });

test('what a wall on the way answers is no word of the daemon', async () => {
  const {world, results} = await started();
  await world.pass(20000);
  world.network = 'wall';
  await world.pass(600000);
  await settle(world);
  agree(world);
  assert.ok(results.every(result => result.status === 'accepted'));
});

test('a run that a wall never lets through keeps no other back', async () => {
  const {world} = await started();
  const answer = world.daemon.answer.bind(world.daemon);
  world.daemon.answer = (path, body) => (/"from_ms":3\d{4},/.test(body) ? {status: 400, body: {}, headers: {}} : answer(path, body));
  world.network = 'down';
  await world.pass(600000);
  await settle(world);
  await world.pass(600000);
  const lost = world.playedSeconds() - world.daemon.seconds.size;
  assert.ok(lost < 62, `${lost} s are not credited`);
});

/* --- runs that are not let through ---------------------------------------------------------------- */

const CULPRIT = /"from_ms":3\d{4},/; // the run that begins at 30 to 40 s, and every request with it
const ON_THE_WAY = {'Content-Type': 'text/html'};

/* Ten minutes are queued, and whatever comes with the culprit is answered STATUS. */
async function withCulprit(status, headers) {
  const page = await started(), {world} = page, answer = world.daemon.answer.bind(world.daemon);
  world.network = 'down';
  await world.pass(600000);
  world.daemon.answer = (path, body) => (CULPRIT.test(body) ? {status, body: {}, headers} : answer(path, body));
  world.network = 'good';
  const lost = () => world.playedSeconds() - world.daemon.seconds.size;
  return {...page, lost, letThrough: () => { world.daemon.answer = answer; world.resets = null; }};
}

async function flushed(world, tracker) {
  const said = tracker.flush();
  await world.pass(2000);
  return said;
}

for (const status of [400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 418, 421, 422, 426, 428, 431, 451])
  test(`a run that something on the way answers ${status} is set aside alone, and sent when it is let through`, async () => {
    const {world, tracker, results, lost, letThrough} = await withCulprit(status, ON_THE_WAY);
    await settle(world);
    assert.ok(lost() < 62, `${lost()} s wait behind it`);
    assert.equal(await flushed(world, tracker), false);
    const asked = world.requests.length;
    await world.pass(600000);
    assert.ok(world.requests.length - asked <= 15, `${world.requests.length - asked} requests in ten minutes for one run`);
    letThrough();
    await world.pass(100000);
    agree(world);
    assert.ok(results.every(result => result.status === 'accepted'));
    assert.equal(await flushed(world, tracker), true);
  });

for (const status of [500, 502, 'reset'])
  test(`a run that is never answered for (${status}) keeps no other back for long`, async () => {
    const {world, lost, letThrough} = await withCulprit(status, ON_THE_WAY);
    if (status === 'reset') world.resets = CULPRIT;
    await settle(world);
    await world.pass(900000);
    assert.ok(lost() < 62, `${lost()} s wait behind it`);
    letThrough();
    await world.pass(100000);
    agree(world);
  });

for (const status of [400, 413])
  test(`a run that the daemon itself answers ${status} is dropped alone`, async () => {
    const {world, tracker, results, lost, letThrough} = await withCulprit(status);
    await settle(world);
    letThrough();
    await world.pass(100000);
    assert.ok(lost() > 5 && lost() < 62, `${lost()} s are lost`);
    assert.equal(results.filter(result => result.status === 'rejected').length, 1);
    assert.equal(await flushed(world, tracker), true);
  });

/* Gateways speak problem JSON, too: 402, 403, 406, 407, 422 and 451 are never the daemon's word on a run. */
for (const status of [402, 403, 404, 405, 406, 407, 408, 415, 422, 429, 431, 451, 500, 503])
  test(`what is answered ${status} as a problem is about the request, and condemns no run`, async () => {
    const {world, letThrough} = await withCulprit(status);
    await settle(world);
    letThrough();
    await world.pass(160000);
    agree(world);
  });

test('a session whose token is not let through keeps no other session back', async () => {
  const world = new World(12), runs = Array.from({length: 40}, (_, i) =>
    ({from_ms: 2000 * i, to_ms: 2000 * i + 1000, media_from_ms: 2000 * i, media_to_ms: 2000 * i + 1000, rate: 1}));
  const heartbeats = ['m1.bad', 'm1.good'].map(token => ({session_token: token, runs}));
  world.stored.set('minuted:queue:other', JSON.stringify({endpoint: 'https://daemon.example/', saved_ms: 0, heartbeats}));
  openPage(world);
  const answer = world.daemon.answer.bind(world.daemon);
  world.daemon.sessions.set('m1.good', {lesson: 'lesson-1', anchor: world.daemon.now() - 100000});
  world.daemon.answer = (path, body) => (/m1\.bad/.test(body) ? {status: 403, body: {}, headers: ON_THE_WAY} : answer(path, body));
  await world.pass(60000);
  assert.equal(world.daemon.seconds.size, 40);
  assert.ok(world.requests.length < 40, `${world.requests.length} requests`);
});

test('a wall that lets nothing through is not run against', async () => {
  const {world} = await started();
  await world.pass(5000);
  world.network = 'forbidden';
  const asked = world.requests.length;
  await world.pass(1800000);
  assert.ok(world.requests.length - asked <= 300, `${world.requests.length - asked} requests in half an hour`);
  await settle(world);
  agree(world);
});

test('a spoiled or huge stored item costs only itself', async () => {
  const world = new World(13), run = {from_ms: 0, to_ms: 1000, media_from_ms: 0, media_to_ms: 1000, rate: 1};
  const at = (s, more) => ({from_ms: 1000 * s, to_ms: 1000 * s + 1000, media_from_ms: 0, media_to_ms: 1000, rate: 1, ...more});
  const heartbeats = [
    {session_token: 'm1.'.padEnd(70000, 'x'), runs: [run]}, {session_token: '\u0000'.repeat(4000), runs: [run]}, {session_token: 7, runs: [run]},
    null, {session_token: 'm1.good'}, {session_token: 'm1.good', runs: 'many'}, {runs: [run]},
    {session_token: 'm1.good', runs: [at(1), null, 'run', {}, at(2, {rate: null}), at(2, {note: 'x'.repeat(70000)}), [], at(3)]}];
  world.stored.set('minuted:queue:other', JSON.stringify({endpoint: 'https://daemon.example/', saved_ms: 0, heartbeats}));
  world.daemon.sessions.set('m1.good', {lesson: 'lesson-1', anchor: world.daemon.now() - 100000});
  openPage(world);
  await world.pass(10000);
  assert.equal(world.daemon.seconds.size, 2);
  assert.deepEqual([...world.stored.keys()], ['minuted:device']);
});

test('a token that never comes is asked for again', async () => {
  const world = new World(6);
  let asked = 0;
  openPage(world, {getToken: () => (asked++ ? 'jwt' : new Promise(() => {}))});
  await world.pass(70000);
  world.video.play();
  await world.pass(20000);
  await settle(world);
  agree(world);
  assert.ok(world.playedSeconds() > 18, `${world.playedSeconds()} s could be claimed`);
});

test('what others stored breaks nothing', async () => {
  const world = new World(7), endpoint = 'https://daemon.example/', runs = [{from_ms: 0, to_ms: 1000, media_from_ms: 0, media_to_ms: 1000, rate: 1}];
  const heartbeats = [{session_token: 7, runs}, {session_token: 'm1.x'.repeat(5000), runs}, {session_token: 'm1.0', runs: [null, 'run', {}]}];
  for (const text of ['{', 'null', '7', '{}', JSON.stringify({endpoint, heartbeats}), JSON.stringify({endpoint, heartbeats: [null]})])
    world.stored.set(`minuted:queue:${text.length}`, text);
  world.stored.set('minuted:device', '\u0007'.repeat(200));
  openPage(world);
  await world.pass(1000);
  world.video.play();
  await world.pass(20000);
  await settle(world);
  agree(world);
  assert.deepEqual([...world.stored.keys()], ['minuted:device']);
  assert.match(world.stored.get('minuted:device'), /^\w{1,64}$/);
});

test('what is played while the clock is in doubt is not stored, since its seconds are not known', async () => {
  const {world} = await started();
  await world.pass(20000);
  await world.sleep(600000);
  world.network = 'down';
  await world.pass(60000);
  await world.closePage(true);
  openPage(world);
  await settle(world);
  agree(world, 62);
});

test('a position that is told once a second is no stall', async () => {
  const world = new World(8);
  world.coarse = true;
  openPage(world);
  await world.pass(1000);
  world.video.play();
  await world.pass(100000);
  await settle(world);
  agree(world, 2);
});

test('a browser without keepalive sends a beacon', async () => {
  const world = new World(9);
  world.keepalive = false;
  openPage(world);
  await world.pass(1000);
  world.video.play();
  await world.pass(9000);
  await world.closePage(false);
  agree(world);
});

test('what is stored for another daemon stays, until no token of it can be good', async () => {
  const world = new World(10), heartbeats = [{session_token: 'm1.9', runs: [{from_ms: 0, to_ms: 1000, media_from_ms: 0, media_to_ms: 1000, rate: 1}]}];
  openPage(world);
  const now = Date.now(), store = (name, saved_ms) =>
    world.stored.set(`minuted:queue:${name}`, JSON.stringify({endpoint: 'https://other.example/', saved_ms, heartbeats}));
  store('fresh', now);
  store('old', now - 40 * 3600000);
  openPage(world);
  await world.pass(30000);
  assert.deepEqual([...world.stored.keys()].sort(), ['minuted:device', 'minuted:queue:fresh']);
  assert.ok(world.requests.every(request => !/m1\.9/.test(request.body || '')));
});

test('many long tokens make several requests', async () => {
  const world = new World(11), runs = [{from_ms: 0, to_ms: 1000, media_from_ms: 0, media_to_ms: 1000, rate: 1}];
  const heartbeats = Array.from({length: 300}, (_, i) => ({session_token: `m1.${i}.${'x'.repeat(600)}`, runs}));
  world.stored.set('minuted:queue:other', JSON.stringify({endpoint: 'https://daemon.example/', saved_ms: 0, heartbeats}));
  heartbeats.forEach(({session_token: token}) => world.daemon.sessions.set(token, {lesson: 'lesson-1', anchor: world.daemon.now() - 5000}));
  openPage(world);
  await world.pass(20000);
  assert.deepEqual([...world.stored.keys()], ['minuted:device']);
  assert.ok(world.requests.filter(request => request.url.endsWith('heartbeats')).length >= 4);
});

test('players do not come back together', async () => {
  const delays = Array.from({length: 200}, () => createBackoff().next(null));
  assert.ok(Math.min(...delays) >= 500 && Math.max(...delays) <= 1000 && new Set(delays).size > 100);
  const backoff = createBackoff();
  assert.ok(Array.from({length: 12}, () => backoff.next(null)).every((delay, i) => delay <= Math.min(60000, 1000 * 2 ** i)));
  const told = Array.from({length: 200}, () => createBackoff().next(7000));
  assert.ok(Math.min(...told) >= 7000 && Math.max(...told) <= 14000 && new Set(told).size > 100);
  assert.ok(backoff.next(7000) >= 30000, 'the longer of both');
  assert.ok(createBackoff().next(1000, 15000) >= 15500, 'no sooner than the next heartbeat');
});

/* --- a crowd ------------------------------------------------------------------------------------- */

const CROWD = 90, WINDOW_S = 15;

/* How many requests the daemon and what stands before it see in each window from AT on. */
function load(world, at, until) {
  const windows = Array(Math.floor((until - at) / 1000 / WINDOW_S)).fill(0);
  return windows.map((_, i) => world.requests.filter(({at: asked}) => Math.floor((asked - at) / 1000 / WINDOW_S) === i).length);
}

const WALL = '403 of a wall'; // which is tried once more: what it refuses may be one run

/* What is wrong with the daemon, or before it, for a while. */
const OUTAGES = {
  '503, Retry-After: 1': () => ({status: 503, body: {}, headers: {'Content-Type': 'application/problem+json', 'Retry-After': '1'}}),
  '503, Retry-After: 1 to 15 s': world => ({status: 503, body: {},
    headers: {'Content-Type': 'application/problem+json', 'Retry-After': String(1 + Math.floor(world.random() * 15))}}),
  '503, Retry-After: a date': (world, over) => ({status: 503, body: {}, headers: {'Retry-After': new Date(over).toUTCString()}}),
  '502 without a word': () => ({status: 502, body: {}, headers: {}}),
  [WALL]: () => ({status: 403, body: {}, headers: {}}),
  '429': () => ({status: 429, body: {}, headers: {}}),
  'each run is to be sent again': null,
  'no connection': null,
};

for (const [what, refusal] of Object.entries(OUTAGES))
  for (const seconds of ['429', '502 without a word', '503, Retry-After: a date'].includes(what) ? [20] : [20, 240])
    test(`a crowd asks no more than it does live during and after ${seconds} s of: ${what}`, async () => {
      const world = new World(21), answer = world.daemon.answer.bind(world.daemon), judge = world.daemon.judge.bind(world.daemon);
      world.newPage();
      world.storage = 'refused'; // players are computers of their own
      const track = () => createMinuted('https://daemon.example/v1/minuted.js').track(world.video, {lessonId: 'lesson-1', getToken: () => 'jwt'});
      world.video.play();
      for (let i = 0; i < CROWD; i++) world.after(world.random() * 15000, track);
      await world.pass(60000);
      const live = CROWD / 15 * WINDOW_S, began = world.time, over = Date.now() + 1000 * seconds;
      assert.ok(load(world, 30000, began).every(requests => requests === live), String(load(world, 30000, began)));
      if (refusal) world.daemon.answer = () => refusal(world, over);
      else if (what === 'no connection') world.network = 'down';
      else world.daemon.judge = () => ({status: 'retry', reason: 'unavailable'});
      await world.pass(1000 * seconds);
      Object.assign(world.daemon, {answer, judge});
      world.network = 'good';
      await world.pass(150000);
      const seen = load(world, began, world.time);
      if (process.env.SHOWN) console.log(`${what}, ${seconds} s: ${live} live, then ${seen}`);
      assert.ok(Math.max(...seen) <= (what === WALL ? 2 : 1.6) * live, `${live} requests in ${WINDOW_S} s live, then ${seen}`);
      world.video.pause();
      await world.pass(1000);
      assert.equal(world.daemon.refusals.length, 0);
      const claimed = [...world.daemon.sessions.values()].map(session => session.accepted);
      assert.ok(Math.min(...claimed) >= seconds + 180, `${Math.min(...claimed)} s of the least lucky are delivered`);
    });

test('a debug function that throws breaks nothing', async () => {
  const {error} = console;
  console.error = () => {};
  const {world} = await started(1, {debug: () => { throw new Error('the page is broken'); }});
  await world.pass(20000);
  await settle(world);
  console.error = error;
  agree(world);
});

test('a request that is never answered is given up', async () => {
  const world = new World(4);
  world.network = 'hung';
  openPage(world);
  await world.pass(10000);
  world.network = 'good';
  await world.pass(20000);
  world.video.play();
  await world.pass(20000);
  world.network = 'hung';
  await world.pass(20000);
  await settle(world);
  agree(world);
  assert.ok(world.playedSeconds() > 39, `${world.playedSeconds()} s could be claimed`);
});

test('an answer that lacks results is no answer', async () => {
  const {world} = await started();
  const answer = world.daemon.answer.bind(world.daemon);
  world.daemon.answer = (path, body) => ({status: 200, body: {results: []}});
  await world.pass(40000);
  world.daemon.answer = answer;
  await settle(world);
  agree(world);
});

test('a request that is never taken is halved until the culprit is alone', async () => {
  const {world} = await started();
  const judge = world.daemon.answer.bind(world.daemon);
  world.daemon.answer = (path, body) => (/"from_ms":(2[5-9]|3\d)\d{3},/.test(body) ? {status: 400, body: {}} : judge(path, body));
  world.network = 'down';
  await world.pass(300000);
  await settle(world);
  const lost = world.playedSeconds() - world.daemon.seconds.size;
  assert.ok(lost < 62, `${lost} s lost with one bad run of a minute`);
});

test('another lesson is another session, and seconds go to the right one', async () => {
  const {world, tracker} = await started();
  await world.pass(20000);
  tracker.changeLesson('lesson-2');
  await world.pass(20000);
  await settle(world);
  const lessons = [...world.daemon.seconds.values()];
  assert.ok(Math.abs(lessons.filter(l => l === 'lesson-1').length - 20) <= 1);
  assert.ok(Math.abs(lessons.filter(l => l === 'lesson-2').length - 20) <= 1);
});

test('a destroyed tracker sends what it has and asks no more', async () => {
  const {world, tracker} = await started();
  await world.pass(9000);
  tracker.destroy();
  world.video.pause();
  await world.pass(1000);
  agree(world);
  const asked = world.requests.length;
  await world.pass(120000);
  world.video.play();
  await world.pass(120000);
  assert.equal(world.requests.length, asked);
});

test('what a destroyed tracker is to send again is sent again', async () => {
  const {world, tracker} = await started();
  const judge = world.daemon.judge.bind(world.daemon);
  world.daemon.judge = () => ({status: 'retry', reason: 'unavailable'});
  await world.pass(9000);
  tracker.destroy();
  world.video.pause();
  await world.pass(1000);
  world.daemon.judge = judge;
  await world.pass(30000);
  agree(world);
});

test('flush says whether all is answered', async () => {
  const {world, tracker} = await started();
  await world.pass(5000);
  let flushed = tracker.flush();
  await world.pass(1000);
  assert.equal(await flushed, true);
  world.network = 'down';
  await world.pass(5000);
  flushed = tracker.flush();
  await world.pass(1000);
  assert.equal(await flushed, false);
});

const NO_TOKEN = {
  'getToken throws': {getToken: () => { throw new Error('logged out'); }},
  'getToken rejects': {getToken: () => Promise.reject(new Error('logged out'))},
  'getToken never answers': {getToken: () => new Promise(() => {})},
};

for (const [what, options] of Object.entries(NO_TOKEN))
  test(`flush does not say that all is delivered where ${what}`, async () => {
    const {world, tracker} = await started(1, options);
    assert.equal(await flushed(world, tracker), false);
    await world.pass(100000);
    assert.equal(await flushed(world, tracker), false);
  });

const NO_SESSION = {
  'the daemon refuses the session': () => ({status: 401, body: {}}),
  'the course is not open': () => ({status: 403, body: {}}),
  'something else answers': () => ({status: 200, body: {}}),
};

for (const [what, answer] of Object.entries(NO_SESSION))
  test(`flush does not say that all is delivered where ${what}`, async () => {
    const world = new World(14);
    world.daemon.answer = answer;
    const {tracker} = openPage(world);
    world.video.play();
    await world.pass(30000);
    assert.equal(await flushed(world, tracker), false);
  });

test('flush does not say that all is delivered where the browser lets nothing out', async () => {
  const world = new World(15);
  world.network = 'down'; // as a policy of the page or of the daemon's origin would have it
  const {tracker} = openPage(world);
  world.video.play();
  await world.pass(30000);
  assert.equal(await flushed(world, tracker), false);
});

test('flush does not say that all is delivered while runs wait for the session that tells their seconds', async () => {
  const {world, tracker} = await started();
  await world.pass(20000);
  const answer = world.daemon.answer.bind(world.daemon);
  world.daemon.answer = (path, body) => (path.endsWith('sessions') ? {status: 503, body: {}} : answer(path, body));
  await world.sleep(600000);
  await world.pass(20000);
  assert.equal(await flushed(world, tracker), false);
  world.daemon.answer = answer;
  await world.pass(70000);
  world.video.pause();
  assert.equal(await flushed(world, tracker), true);
  agree(world);
});

test('flush does not say that all is delivered where the session is over and no other can be had', async () => {
  const {world, tracker} = await started();
  await world.pass(20000);
  world.daemon.answer = () => ({status: 401, body: {}});
  await world.pass(20000);
  assert.equal(await flushed(world, tracker), false);
});

test('a lesson that is refused is told, and asked for again at the next play', async () => {
  const errors = [], world = new World(5);
  const answer = world.daemon.answer.bind(world.daemon);
  let closed = true;
  world.daemon.answer = (path, body) => (closed && path.endsWith('sessions') ? {status: 403, body: {detail: 'not open'}} : answer(path, body));
  openPage(world, {onError: error => errors.push(error)});
  await world.pass(200000);
  assert.deepEqual(errors.map(error => [error.status, error.message]), [[403, 'not open']]);
  closed = false;
  world.video.play();
  await world.pass(20000);
  await settle(world);
  agree(world);
  assert.ok(world.playedSeconds() > 18, `${world.playedSeconds()} s could be claimed`);
});

test('a callback that throws breaks nothing', async () => {
  const said = [], onResult = () => { throw new Error('the page is broken'); };
  const {world} = await started(1, {onResult, debug: event => said.push(event)});
  await world.pass(40000);
  await settle(world);
  agree(world);
  assert.ok(said.includes('callback failed') && !said.includes('waiting'), String(said));
});

/* --- what is sent, when, and what is kept meanwhile ------------------------------------------------ */

const heartbeatsSince = (world, at) => world.requests.filter(request => request.url.endsWith('heartbeats') && request.at >= at);

for (const [what, go] of Object.entries({
  'a pause': world => world.video.pause(),
  'the end of the film': world => { world.video.paused = true; world.video.ended = true; world.video.say('ended'); },
  'hiding the page': world => { world.document.visibilityState = 'hidden'; world.document.dispatchEvent(new Event('visibilitychange')); },
}))
  test(`${what} sends what was played at once`, async () => {
    const {world} = await started();
    await world.pass(6000);
    const at = world.time;
    go(world);
    await world.pass(500);
    assert.equal(heartbeatsSince(world, at).length, 1);
    agree(world);
  });

test('what is in a request whose page crashes is delivered by the next page', async () => {
  const {world} = await started();
  await world.pass(3000);
  world.network = 'hung';
  world.video.pause();
  await world.pass(300);
  await world.closePage(true);
  world.network = 'good';
  openPage(world);
  await world.pass(5000);
  agree(world);
});

test('a run is stored when it is queued, and not only every few seconds', async () => {
  const {world} = await started();
  await world.pass(8800); // 1.2 s are left until it would be stored anyway
  world.network = 'hung';
  world.video.pause();
  await world.pass(100);
  await world.closePage(true);
  world.network = 'good';
  openPage(world);
  await world.pass(5000);
  agree(world, -1);
});

test('what a page left is sent by the next one at once, also where that one gets no session', async () => {
  const {world} = await started();
  await world.pass(6000);
  world.network = 'down';
  world.video.pause();
  await world.pass(500);
  await world.closePage(false);
  world.network = 'good';
  closedDoor(world, 503);
  openPage(world);
  await world.pass(2000);
  agree(world);
});

test('what is under way since the page was hidden is not sent again', async () => {
  const {world, tracker} = await started();
  await world.pass(6000);
  const at = world.time;
  world.latency = 3000;
  world.window.dispatchEvent(new Event('pagehide'));
  world.video.pause();
  tracker.flush();
  await world.pass(1000);
  assert.equal(heartbeatsSince(world, at).length, 1);
  await settle(world);
  agree(world);
});

test('an answer that came to an older session says nothing about the clock of this one', async () => {
  const {world, tracker} = await started();
  await world.pass(6000);
  world.latency = 8000;
  tracker.flush();
  await world.pass(5000); // the daemon has answered, and the answer is on its way
  world.latency = 100;
  await world.sleep(600000);
  await world.pass(10000);
  assert.equal(world.daemon.sessions.size, 2);
  await settle(world);
  agree(world);
});

test('what is played before the next lesson has its session is not the last lesson\'s', async () => {
  const {world, tracker} = await started();
  await world.pass(10000);
  const door = closedDoor(world, 503), at = world.daemon.now();
  tracker.changeLesson('lesson-2');
  await world.pass(30000);
  door.letIn();
  await settle(world);
  const late = [...world.daemon.seconds].filter(([second, lesson]) => lesson === 'lesson-1' && second * 1000 > at);
  assert.deepEqual(late, []);
});

test('what is delivered is not delivered again by the next page', async () => {
  const {world} = await started();
  await world.pass(6000);
  world.video.pause();
  await world.pass(500);
  await world.closePage(true);
  const at = world.time;
  openPage(world);
  await world.pass(5000);
  assert.deepEqual(heartbeatsSince(world, at), []);
});

test('what failed is sent again without anything that happens in the page', async () => {
  const {world} = await started();
  await world.pass(6000);
  world.network = 'down';
  world.video.pause();
  await world.pass(40000);
  world.network = 'good';
  await world.pass(70000);
  agree(world);
});

test('a short sleep claims no sleep either', async () => {
  const {world} = await started();
  await world.pass(20000);
  await world.sleep(20000);
  await world.pass(40000);
  await settle(world);
  agree(world);
});

test('an answer on a session condemns no runs of several sessions', async () => {
  const {world, tracker, results} = await started();
  const answer = world.daemon.answer.bind(world.daemon);
  let several = 0;
  const heartbeats = status => (path, body) => {
    if (path.endsWith('sessions')) return answer(path, body);
    several += /"heartbeats":/.test(body) && status === 410;
    return status === 503 || /"heartbeats":/.test(body) ? {status, body: {}} : answer(path, body);
  };
  world.daemon.answer = heartbeats(503);
  await world.pass(10000);
  tracker.changeLesson('lesson-2');
  await world.pass(40000);
  world.daemon.answer = heartbeats(410);
  await world.pass(90000);
  world.daemon.answer = answer;
  await settle(world);
  assert.ok(several > 0, 'nothing was asked of several sessions');
  assert.ok(results.every(result => result.status !== 'rejected'));
  agree(world, 3);
});

test('requests that became small become large again', async () => {
  const {world} = await started();
  const answer = world.daemon.answer.bind(world.daemon);
  const culprit = /"from_ms":[1-9]\d{4},/; // all of the first hundred seconds but their beginning
  world.network = 'down';
  await world.pass(600000);
  world.network = 'good';
  world.daemon.answer = (path, body) => (culprit.test(body) ? {status: 403, body: {}, headers: ON_THE_WAY} : answer(path, body));
  await settle(world);
  world.daemon.answer = answer;
  await settle(world);
  world.network = 'down';
  world.video.play();
  await world.pass(1200000);
  const at = world.time;
  await settle(world);
  agree(world);
  assert.ok(heartbeatsSince(world, at).length <= 8, `${heartbeatsSince(world, at).length} requests for twenty minutes`);
});

/* Sessions are answered so until letIn() is called; in between, when they were asked for. */
function closedDoor(world, status, headers) {
  const answer = world.daemon.answer.bind(world.daemon), asked = [];
  world.daemon.answer = (path, body) => {
    if (!path.endsWith('sessions')) return answer(path, body);
    asked.push(world.time);
    return {status, body: {}, headers};
  };
  return {asked, letIn: () => { world.daemon.answer = answer; }};
}

test('Retry-After of a session is obeyed', async () => {
  const world = new World(16), {asked} = closedDoor(world, 503, {'Retry-After': '30'});
  openPage(world);
  await world.pass(200000);
  assert.ok(asked.length >= 3 && asked.slice(1).every((at, i) => at - asked[i] >= 30000), String(asked));
});

test('a session that came ends the waiting for the next one', async () => {
  const world = new World(17), first = closedDoor(world, 503);
  openPage(world);
  world.video.play();
  await world.pass(200000);
  first.letIn();
  await world.pass(70000);
  assert.equal(world.daemon.sessions.size, 1);
  const second = closedDoor(world, 503);
  await world.sleep(600000); // after which another session is asked for
  await world.pass(8000);
  assert.ok(second.asked.length >= 3, `it was asked for ${second.asked.length} times in eight seconds`);
});

test('the return of the network opens a session at once', async () => {
  const world = new World(18);
  world.network = 'down';
  openPage(world);
  await world.pass(600000);
  world.network = 'good';
  world.window.dispatchEvent(new Event('online'));
  await world.pass(1000);
  assert.equal(world.daemon.sessions.size, 1);
});

test('a crowd whose network returns does not come in the same moment', async () => {
  const moments = new Set();
  for (let seed = 1; seed <= 12; seed++) {
    const {world} = await started(seed);
    await world.pass(3000);
    world.network = 'down';
    world.video.pause();
    await world.pass(20000);
    world.network = 'good';
    const at = world.time;
    world.window.dispatchEvent(new Event('online'));
    await world.pass(1500);
    moments.add(heartbeatsSince(world, at)[0].at - at);
  }
  assert.ok(moments.size > 6, [...moments].join(' '));
});

test('a destroyed tracker leaves no listener behind', async () => {
  const world = new World(19), {addEventListener, removeEventListener} = EventTarget.prototype, left = new Set();
  world.newPage();
  const minuted = createMinuted('https://daemon.example/v1/minuted.js'), options = {lessonId: 'lesson-1', getToken: () => 'jwt'};
  minuted.track(world.video, options); // the page's outbox listens from here on
  Object.assign(EventTarget.prototype, {
    addEventListener(type, ...rest) { left.add(type); return addEventListener.call(this, type, ...rest); },
    removeEventListener(type, ...rest) { left.delete(type); return removeEventListener.call(this, type, ...rest); },
  });
  try {
    const tracker = minuted.track(world.video, options);
    assert.ok(left.has('pagehide') && left.has('timeupdate'));
    tracker.destroy();
  } finally {
    Object.assign(EventTarget.prototype, {addEventListener, removeEventListener});
  }
  assert.deepEqual([...left], []);
});

/* --- random lives ------------------------------------------------------------------------------------- */

const RATES = [0.5, 1, 1.25, 1.5, 2];
const NETWORKS = ['good', 'good', 'good', 'down', 'lost', '503', 'portal', 'hung', 'wall'];
const pick = (world, list) => list[Math.floor(world.random() * list.length)];

/* What may happen; each ends a stretch where it interrupts the playing. */
const HAPPENINGS = {
  pause: world => { world.video.pause(); world.endStretch(); },
  play: world => world.video.play(),
  seek: world => { world.video.seek(world.random() * 90000); world.endStretch(); },
  rate: world => { world.video.rate(pick(world, RATES)); world.endStretch(); },
  stall: world => { world.video.stall(world.random() < 0.5); world.endStretch(); },
  recover: world => world.video.recover(),
  network: world => { world.network = pick(world, NETWORKS); },
  latency: world => { world.latency = 20 + world.random() * 2000; },
  hide: world => { world.hidden = true; world.throttle = pick(world, [1000, 60000]); world.document.visibilityState = 'hidden'; world.document.dispatchEvent(new Event('visibilitychange')); },
  show: world => { world.hidden = false; world.throttle = 1; world.document.visibilityState = 'visible'; world.document.dispatchEvent(new Event('visibilitychange')); },
  wall: world => { world.set = (world.random() - 0.5) * 7200000; world.wallWasSet = true; },
  sleep: world => world.sleep(world.random() * 1800000),
  interval: world => { world.daemon.interval = pick(world, [1000, 15000, 60000]); },
};

async function newPage(world) {
  await world.closePage(false);
  openPage(world);
  world.hidden = false;
  world.throttle = 1;
  await world.pass(100);
  world.video.play();
}

/*
 * In every other life nobody sets the clock. Where somebody does while a computer sleeps that cannot reach the daemon, how
 * much was played is known, but not when.
 */
async function live(seed) {
  const {world} = await started(seed), names = Object.keys(HAPPENINGS).filter(name => seed % 2 || name !== 'wall');
  for (let i = 0; i < 30; i++) {
    if (world.random() < 0.05) await newPage(world);
    await HAPPENINGS[pick(world, names)](world);
    await world.pass(500 + world.random() * 40000);
  }
  await settle(world);
  // A page that closed while a clock set by up to an hour was in doubt may have claimed the future: that is taken when it comes.
  if (world.wallWasSet) await world.pass(2 * 3600000);
  return world;
}

const only = Number(process.env.SEED || 0), seeds = Number(process.env.SEEDS || 60);
for (const seed of only ? [only] : Array.from({length: seeds}, (_, i) => i + 1))
  test(`life ${seed}`, async () => agree(await live(seed)));
