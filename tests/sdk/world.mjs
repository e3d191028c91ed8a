/*
 * A browser, a learner and a daemon in virtual time, for the SDK's own modules: nothing waits, everything can fail, and the
 * world knows which milliseconds were really played.
 *
 * Three clocks: `true` time, which the daemon has; the page's monotonic clock, which stands still while the computer sleeps;
 * and the wall clock, which anybody may set.
 */
const EPOCH_MS = 1700000000000;
const TIMEUPDATE_MS = 250;
const HIDDEN_TIMEUPDATE_MS = 1000;
const CLOCK_SLACK_MS = 5000;
const SESSION_MS = 4 * 3600000;
const REQUEST_MAX = 65536;
const RUN_MAX_MS = 60000; // what the SDK promises; the daemon takes more

/* Numbers in [0, 1) from SEED (mulberry32's public-domain recurrence). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const settled = () => new Promise(resolve => setImmediateNow(resolve));
const setImmediateNow = setImmediate;

/* --- the daemon ---------------------------------------------------------------------------------- */

export class Daemon {
  constructor(world) {
    this.world = world;
    this.sessions = new Map();
    this.seconds = new Map(); // Unix second -> lesson
    this.refusals = []; // of runs, which an honest player never earns
    this.interval = 15000;
  }

  now() {
    return EPOCH_MS + this.world.time;
  }

  answer(path, body) {
    if (path.endsWith('/v1/sessions')) return this.open(JSON.parse(body));
    const request = JSON.parse(body), heartbeats = request.heartbeats || [request];
    if (!request.heartbeats && this.expired(request)) return {status: 410, body: {detail: 'the session is over'}};
    const results = heartbeats.flatMap(beat => beat.runs.map(run => this.judge(this.sessions.get(beat.session_token), run)));
    if (results.length > 256) return {status: 413, body: {}};
    return {status: 200, body: {results, server_time_ms: this.now(), heartbeat_interval_ms: this.interval}};
  }

  open({lesson_id: lesson, device_id: device}) {
    if (typeof device !== 'string') return {status: 400, body: {detail: 'device_id is missing or no text'}};
    const token = `m1.${this.sessions.size}`, anchor = this.now();
    this.sessions.set(token, {lesson, anchor, accepted: 0});
    return {status: 201, body: {session_id: token, session_token: token, server_time_ms: anchor,
      expires_at_ms: anchor + SESSION_MS, heartbeat_interval_ms: this.interval}};
  }

  expired({runs}) {
    return runs.length > 0 && runs.every(run => run.to_ms > SESSION_MS);
  }

  judge(session, run) {
    const advance = run.media_to_ms - run.media_from_ms, expected = (run.to_ms - run.from_ms) * run.rate;
    if (run.to_ms > SESSION_MS) return this.refuse('session_expired', run);
    if (run.to_ms - run.from_ms > RUN_MAX_MS) return this.refuse('too_long', run);
    if (Math.abs(advance - expected) > expected / 10 + 500) return this.refuse('media_mismatch', run);
    // The daemon has some patience with clocks; a run that lies ahead is the SDK's fault all the same.
    if (session.anchor + run.to_ms > this.now() && !this.world.wallWasSet) return this.refuse('ahead_of_clock', run);
    if (session.anchor + run.to_ms > this.now() + CLOCK_SLACK_MS) return {status: 'retry', reason: 'ahead_of_clock'};
    return this.credit(session, run);
  }

  refuse(reason, run) {
    this.refusals.push({reason, run});
    return {status: 'rejected', reason};
  }

  credit(session, run) {
    const {lesson, anchor} = session;
    const counts = {credited_seconds: 0, duplicate_seconds: 0, contested_seconds: 0};
    for (let s = Math.ceil((anchor + run.from_ms) / 1000); s * 1000 < anchor + run.to_ms; s++) {
      const holder = this.seconds.get(s);
      counts[!holder ? 'credited_seconds' : holder === lesson ? 'duplicate_seconds' : 'contested_seconds']++;
      if (!holder) this.seconds.set(s, lesson);
    }
    session.accepted += counts.credited_seconds + counts.duplicate_seconds + counts.contested_seconds;
    return {status: 'accepted', ...counts};
  }
}

/* --- the video element ---------------------------------------------------------------------------- */

export class Video extends EventTarget {
  constructor(world) {
    super();
    Object.assign(this, {world, nodeName: 'VIDEO', paused: true, ended: false, seeking: false, readyState: 4, playbackRate: 1,
      duration: 100000, position: 0});
  }

  get currentTime() {
    return this.world.coarse ? Math.floor(this.position) : this.position;
  }

  moving() {
    return !this.paused && !this.seeking && this.readyState >= 3;
  }

  say(type) {
    this.dispatchEvent(new Event(type));
  }

  play() {
    this.paused = false;
    this.say('play');
    this.say('playing');
  }

  pause() {
    this.paused = true;
    this.say('pause');
  }

  seek(seconds) {
    this.seeking = true;
    this.position = seconds;
    this.say('seeking');
    this.seeking = false;
    this.say('seeked');
  }

  rate(rate) {
    this.playbackRate = rate;
    this.say('ratechange');
  }

  /* A stall; some players say so and some do not. */
  stall(told) {
    this.readyState = 2;
    if (!told) this.world.untold++;
    if (told) this.say('waiting');
  }

  recover() {
    this.readyState = 4;
    this.say('playing');
  }
}

/* Its members are its prototype's, as a browser's are: what an element's name hides, the SDK finds there. */
export class Document extends EventTarget {
  #visibility = 'visible';

  get visibilityState() {
    return this.#visibility;
  }

  set visibilityState(state) {
    this.#visibility = state;
  }

  get currentScript() {
    return null;
  }
}

/* --- the browser ------------------------------------------------------------------------------------ */

export class World {
  constructor(seed) {
    Object.assign(this, {random: randomOf(seed), time: 0, slept: 0, set: 0, timers: [], ids: 0, page: 0, stored: new Map(),
      network: 'good', latency: 100, throttle: 1, played: [], untold: 0, coarse: false, keepalive: true, hidden: false,
      hiddenTimeupdate: HIDDEN_TIMEUPDATE_MS, storage: 'good', requests: []});
    this.daemon = new Daemon(this);
  }

  monotonic() {
    return this.time - this.slept;
  }

  /* Makes this world's browser the one that the SDK's modules find. */
  newPage() {
    this.page++;
    this.timers = [];
    this.window = new EventTarget();
    this.document = new Document();
    this.video = new Video(this);
    this.claimable = null; // true time of the first session's answer
    this.install();
  }

  install() {
    const world = this, perf = {now: () => world.monotonic()};
    const globals = {
      window: this.window, document: this.document, Document, performance: perf, location: {href: 'https://page.example/'},
      addEventListener: (name, action) => world.window.addEventListener(name, action),
      setTimeout: (action, ms = 0) => world.schedule(action, ms, 0), clearTimeout: id => world.cancel(id),
      setInterval: (action, ms) => world.schedule(action, ms, ms), clearInterval: id => world.cancel(id),
      fetch: (url, options) => world.fetch(url, options), localStorage: this.storageApi(),
      navigator: {sendBeacon: (url, beacon) => world.beacon(url, beacon)},
      Request: world.keepalive ? class { get keepalive() { return false; } } : class {},
    };
    for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, {value, configurable: true, writable: true});
    Date.now = () => EPOCH_MS + world.time + world.set;
    Math.random = () => world.random();
  }

  storageApi() {
    const world = this, guard = () => { if (world.storage !== 'good') throw new Error('storage is refused'); };
    return new Proxy({
      getItem: key => (guard(), world.stored.has(key) ? world.stored.get(key) : null),
      setItem: (key, value) => (guard(), void world.stored.set(key, value)),
      removeItem: key => (guard(), void world.stored.delete(key)),
    }, {ownKeys: () => (guard(), [...world.stored.keys()]),
      getOwnPropertyDescriptor: (target, key) => (world.stored.has(key) ? {enumerable: true, configurable: true} : undefined)});
  }

  /* --- time ----------------------------------------------------------------------------------------- */

  schedule(action, ms, period) {
    const id = ++this.ids;
    this.timers.push({id, at: this.monotonic() + ms, action, period, throttled: true});
    return id;
  }

  after(ms, action) {
    this.timers.push({id: ++this.ids, at: this.monotonic() + ms, action, period: 0, throttled: false});
  }

  cancel(id) {
    this.timers = this.timers.filter(timer => timer.id !== id);
  }

  due(timer) {
    const step = timer.throttled ? this.throttle : 1;
    return Math.ceil(timer.at / step) * step <= this.monotonic();
  }

  async fire() {
    for (const timer of this.timers.filter(t => this.due(t))) {
      if (!this.timers.includes(timer)) continue;
      if (timer.period) timer.at = this.monotonic() + timer.period;
      else this.cancel(timer.id);
      timer.action();
      await settled();
    }
  }

  /* Lets MS of true time pass in small steps. Where nothing happens in a step, nothing is waited for: that is most of them. */
  async pass(ms) {
    await settled();
    for (const end = this.time + ms; this.time < end;) {
      const step = Math.min(50, end - this.time);
      this.playFor(step);
      const every = this.hidden ? this.hiddenTimeupdate : TIMEUPDATE_MS;
      const tells = this.video.moving() && Math.floor(this.time / every) !== Math.floor((this.time - step) / every);
      if (tells) this.video.say('timeupdate');
      if (tells || this.timers.some(timer => this.due(timer))) await this.fire();
    }
  }

  playFor(step) {
    if (this.video.moving()) {
      this.video.position += step / 1000 * this.video.playbackRate;
      if (this.claimable !== null) this.note(this.time, this.time + step);
    }
    this.time += step;
  }

  note(from, to) {
    const newest = this.played[this.played.length - 1];
    if (newest && newest.to === from && newest.open) newest.to = to;
    else this.played.push({from, to, open: true});
  }

  /* The next second played is a stretch of its own. */
  endStretch() {
    if (this.played.length) this.played[this.played.length - 1].open = false;
  }

  async sleep(ms) {
    this.time += ms;
    this.slept += ms;
    this.endStretch();
    await this.fire();
  }

  /* --- network --------------------------------------------------------------------------------------- */

  fetch(url, options) {
    const page = this.page, network = this.network, body = options.body;
    this.requests.push({url, body, at: this.time});
    if (body && body.length > REQUEST_MAX) throw new Error(`a request of ${body.length} bytes`);
    const answered = network === 'good' || network === 'lost' ? () => this.daemon.answer(url, body) : () => this.answerBetween();
    const reset = () => this.resets && this.resets.test(body);
    return new Promise((resolve, reject) => {
      if (options.signal) options.signal.addEventListener('abort', () => reject(new Error('aborted')));
      if (network === 'hung') return undefined;
      if (network === 'down' || reset()) return this.after(this.latency, () => page === this.page && reject(new TypeError('no network')));
      // A request under way is delivered even when its page goes: keepalive, or the kernel's buffer.
      const there = this.latency / 2, answer = {};
      this.after(there, () => Object.assign(answer, answered()));
      return this.after(this.latency, () => page === this.page && this.deliver(network, url, answer, resolve, reject));
    });
  }

  beacon(url, body) {
    this.after(this.latency / 2, () => this.network === 'good' && this.daemon.answer(url, body));
    return true;
  }

  /* What something on the way to the daemon answers. */
  answerBetween() {
    if (this.network === 'forbidden') return {status: 403, body: {}, headers: {'Content-Type': 'text/html'}};
    if (this.network === '503') return {status: 503, body: {}, headers: {'Retry-After': '7'}};
    const statuses = [400, 401, 403, 404, 405, 410, 413, 429, 502];
    return {status: statuses[Math.floor(this.random() * statuses.length)], body: {}, headers: {'Content-Type': 'text/html'}};
  }

  deliver(network, url, {status, body, headers = {'Content-Type': 'application/problem+json'}}, resolve, reject) {
    if (network === 'lost') return reject(new TypeError('the answer was lost'));
    if (network === 'portal') return resolve({ok: true, status: 200, headers: new Headers(), json: () => Promise.reject(new Error('HTML'))});
    if (url.endsWith('/v1/sessions') && status === 201 && this.claimable === null) this.claimable = this.time;
    return resolve({ok: status < 300, status, headers: new Headers(headers), json: () => Promise.resolve(body)});
  }

  /* --- the page's end ---------------------------------------------------------------------------------- */

  /* The page goes, as a reader closes it or, without a word, as a crash does; requests under way still arrive. */
  async closePage(crash) {
    if (!crash) this.window.dispatchEvent(new Event('pagehide'));
    await settled();
    const flying = this.timers.filter(timer => !timer.throttled);
    this.page++;
    this.video.paused = true;
    this.timers = flying;
    this.endStretch();
    await this.pass(1000);
  }

  /* --- what is to be compared -------------------------------------------------------------------------- */

  playedSeconds() {
    return this.played.reduce((sum, stretch) => sum + stretch.to - stretch.from, 0) / 1000;
  }

  /* Credited seconds further than SLACK ms from everything that was played: none of an honest player's. */
  unplayedSeconds(slack) {
    return [...this.daemon.seconds.keys()].filter(s => {
      const at = s * 1000 - EPOCH_MS;
      return !this.played.some(stretch => at >= stretch.from - slack && at <= stretch.to + slack);
    });
  }
}
