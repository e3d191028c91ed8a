// What a page in TypeScript writes; tsc must take it, and must not take the lines that are said to be wrong.
import { track, type Options, type Progress, type Result, type Run, type Session, type SessionError, type Tracker } from "minuted";

declare const video: HTMLVideoElement;
declare const hls: { media: HTMLMediaElement | null };

function told(result: Result, run: Run, session: Session): number {
  if (result.status === "accepted") return result.credited_seconds + result.duplicate_seconds + result.contested_seconds;
  console.log(result.reason, run.to_ms - run.from_ms, session.server_time_ms);
  return 0;
}

const options: Options = {
  lessonId: "lts-1-1",
  getToken: async () => "jwt",
  endpoint: new URL("https://minuted.example/"),
  debug: (event: string, details: object) => console.debug(event, details),
  onResult: told,
  onProgress: (progress: Progress) => console.log(progress.total.hours_learned, progress.lessons[0].covered_ratio?.toFixed(2)),
  onError: (error: SessionError) => console.log(error.status, error.message),
};

const tracker: Tracker = track(video, options);
track(hls, { lessonId: "lts-1-1", getToken: () => "jwt" });
tracker.changeLesson("lts-1-2");
tracker.flush().then((answered: boolean) => answered && tracker.destroy());

// @ts-expect-error: getToken is wanted
track(video, { lessonId: "lts-1-1" });
// @ts-expect-error: a lesson is named by a string
tracker.changeLesson(2);
// @ts-expect-error: what was rejected has no credited seconds
((result: Result) => result.credited_seconds);
