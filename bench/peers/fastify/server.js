// POST /v1/heartbeats with one run: decode, verify, judge, credit in Redis, answer. One process.
//
//     node server.js SETTINGS.json
'use strict';

const { readFileSync } = require('node:fs');
const fastify = require('fastify');
const Redis = require('ioredis');
const xxhash = require('xxhash-wasm');

const apply = require('./apply.js');
const judge = require('./claim.js');
const newVerifier = require('./session_token.js');

const HORIZON_MS = 86400000;
const INTERVAL_MS = 15000;
const BODY_MAX = 65536;
const IDLE_MS = 3600000;
const BACKLOG = 4096;
const RETRIED = ['ahead_of_clock', 'lesson_unknown'];
const TITLES = { 400: 'Bad Request', 401: 'Unauthorized', 410: 'Gone', 503: 'Service Unavailable' };

// Known in advance, so that Fastify writes answers with a compiled serializer.
const ANSWER = {
  type: 'object',
  properties: {
    results: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          status: { type: 'string' },
          reason: { type: 'string' },
          credited_seconds: { type: 'integer' },
          duplicate_seconds: { type: 'integer' },
          contested_seconds: { type: 'integer' },
        },
      },
    },
    server_time_ms: { type: 'integer' },
    heartbeat_interval_ms: { type: 'integer' },
  },
};

function connect(address) {
  const options = { enableAutoPipelining: true, noDelay: true, maxRetriesPerRequest: 0, commandTimeout: 3000 };
  if (address.startsWith('unix:')) return new Redis({ ...options, path: address.slice(5) });
  const colon = address.lastIndexOf(':');
  return new Redis({ ...options, host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
}

// As minuted reads a key: without one newline at its end.
function readKey(path) {
  const bytes = readFileSync(path);
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}

// JSON has no infinities: an unbounded window comes as null.
function readLessons(table) {
  const lessons = new Map();
  for (const [id, lesson] of Object.entries(table)) {
    lessons.set(id, { ...lesson, opens_ms: lesson.opens_ms ?? -Infinity, closes_ms: lesson.closes_ms ?? Infinity });
  }
  return lessons;
}

function sendProblem(reply, status) {
  if (status === 503) reply.header('Retry-After', '2');
  return reply.code(status).type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: TITLES[status] ?? 'Error', status }));
}

function answerOf(result) {
  return { results: [result], server_time_ms: Date.now(), heartbeat_interval_ms: INTERVAL_MS };
}

function sendReason(reply, reason) {
  if (reason === 'session_expired') return sendProblem(reply, 410);
  return answerOf({ status: RETRIED.includes(reason) ? 'retry' : 'rejected', reason });
}

function accepted(seconds) {
  return answerOf({
    status: 'accepted',
    credited_seconds: seconds.credited,
    duplicate_seconds: seconds.duplicate,
    contested_seconds: seconds.contested,
  });
}

function newHandler(settings, redis, h64) {
  const verify = newVerifier(readKey(settings.session_key_file));
  const lessons = readLessons(settings.lessons);
  const partitions = BigInt(settings.prefixes.length);

  async function credit(reply, session, course, claimed, nowMs) {
    const name = `${session.portal}/${session.learner}`;
    const prefix = settings.prefixes[Number(h64(name) % partitions)];
    let answer;
    try {
      answer = await redis.fcallBuffer(settings.apply, ...apply.encode(prefix, name, session, course, claimed, nowMs));
    } catch {
      return sendProblem(reply, 503);
    }
    const seconds = apply.decode(answer, claimed);
    if (seconds.late === claimed.endSecond - claimed.firstSecond) return sendReason(reply, 'too_late');
    return accepted(seconds);
  }

  return async function handle(request, reply) {
    const { session_token: token, runs } = request.body ?? {};
    if (!Array.isArray(runs) || runs.length !== 1) return sendProblem(reply, 400);
    const session = verify(token);
    if (session === null) return sendProblem(reply, 401);
    const nowMs = Date.now();
    if (nowMs > session.expiryMs + HORIZON_MS) return sendProblem(reply, 410);
    const lesson = lessons.get(session.lesson);
    const claimed = judge(session, lesson, nowMs, runs[0]);
    if (claimed.reason !== null) return sendReason(reply, claimed.reason);
    if (claimed.firstSecond === claimed.endSecond) return accepted({ credited: 0, duplicate: 0, contested: 0 });
    return credit(reply, session, lesson.course, claimed, nowMs);
  };
}

async function main(settings) {
  const { h64 } = await xxhash();
  const redis = connect(settings.redis);
  redis.on('error', (error) => console.error(error.message));
  const app = fastify({
    logger: false, bodyLimit: BODY_MAX, keepAliveTimeout: IDLE_MS, requestTimeout: 0,
    onProtoPoisoning: 'ignore', onConstructorPoisoning: 'ignore', // only known members are read
  });
  app.setErrorHandler((error, request, reply) => sendProblem(reply, error.statusCode ?? 500));
  app.post('/v1/heartbeats', { schema: { response: { 200: ANSWER } } }, newHandler(settings, redis, h64));
  process.once('SIGTERM', () => process.exit(0));
  await app.listen({ host: settings.host, port: settings.port, backlog: BACKLOG });
}

main(JSON.parse(readFileSync(process.argv[2])));
