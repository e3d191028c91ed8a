/** minuted's player SDK. It reports what a learner really plays, and the daemon credits the seconds. */

/** A media element, or a player object that has one (video.js, hls.js, dash.js, Shaka, xgplayer, ArtPlayer, DPlayer …). */
export type Player = HTMLMediaElement | object;

/** A stretch of uninterrupted playing, in milliseconds of the session's clock (from, to) and of the media (media_from, media_to). */
export interface Run {
  from_ms: number;
  to_ms: number;
  media_from_ms: number;
  media_to_ms: number;
  rate: number;
}

/** What became of a run. The SDK sends a run with `retry` again by itself. */
export type Result =
  | { status: "accepted"; credited_seconds: number; duplicate_seconds: number; contested_seconds: number }
  | { status: "retry" | "rejected"; reason: string };

/** The session that a run belongs to. */
export interface Session {
  lesson_id: string;
  session_id: string;
  session_token: string;
  /** When the session was opened, in Unix milliseconds by the daemon's clock. The times of its runs count from here. */
  server_time_ms: number;
  expires_at_ms: number;
  heartbeat_interval_ms: number;
}

/** The answer of GET /v1/progress. */
export interface Progress {
  total: { watched_seconds: number; hours_learned: number; hours_max: number };
  courses: {
    course_id: string;
    title: string;
    watched_seconds: number;
    hours_learned: number;
    hours_max: number;
    opens: string | null;
    closes: string | null;
  }[];
  lessons: {
    lesson_id: string;
    course_id: string;
    watched_seconds: number;
    covered_seconds: number;
    covered_ratio: number | null;
  }[];
}

/** Why no session can be opened. Its status is 400, 401 (the token), 403 (the course is not open) or 404 (no such lesson). */
export interface SessionError extends Error {
  status: number;
}

export interface Options {
  lessonId: string;
  /** Gives the platform's token of the learner. It is called each time a session is opened. */
  getToken: () => string | Promise<string>;
  /** The daemon's address, with http.base_path. By default it is where this script came from. */
  endpoint?: string | URL;
  /** `true` writes what happens to console.debug; a function is called with it. */
  debug?: boolean | ((event: string, details: object) => void);
  /** Called with each run's result. */
  onResult?: (result: Result, run: Run, session: Session) => void;
  /** Called with the learner's progress after seconds were credited. Without it, progress is never asked for. */
  onProgress?: (progress: Progress) => void;
  /** Called when the daemon refuses a session. The SDK asks again within a minute, and at the next play. */
  onError?: (error: SessionError) => void;
}

export interface Tracker {
  /** The player plays another lesson from now on. */
  changeLesson(lessonId: string): void;
  /** Sends what was played. True if all of it is delivered; false if something still waits or no session is open. */
  flush(): Promise<boolean>;
  /** Sends what was played and lets go of the player. What could not be sent yet is sent later. */
  destroy(): void;
}

/** Counts what PLAYER plays from now on. Throws a TypeError if a required option is missing. */
export function track(player: Player, options: Options): Tracker;

export as namespace minuted;
