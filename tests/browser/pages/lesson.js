/*
 * What a platform writes to have its lesson counted; and what the SDK said of it, kept for the test to read.
 *
 *     ?lesson=&sub=       who watches what
 *     &sdk=               where the SDK's script is; /v1/minuted.js unless told
 *     &endpoint=          handed to track() when given
 *     &media=             the film's address
 *     &player=            one of players.js; a plain video element unless told
 *     &track=later        the test calls lesson.track() itself
 *     &beside=            HTML that stands in the page before the SDK is loaded
 */
(() => {
  const address = new URLSearchParams(location.search);
  const video = document.querySelector('#video');
  const lesson = {video, player: video, tracker: null, results: [], errors: [], progress: [], sessions: new Set()};

  const getToken = async () => (await fetch(`/token?sub=${encodeURIComponent(address.get('sub'))}`)).text();

  lesson.options = {
    lessonId: address.get('lesson'),
    getToken,
    onResult: (result, run, session) => {
      lesson.results.push({...result, run, lesson_id: session.lesson_id});
      lesson.sessions.add(session.session_id);
    },
    onError: error => lesson.errors.push(String(error)),
  };
  if (address.has('endpoint')) lesson.options.endpoint = address.get('endpoint');
  if (address.has('progress')) lesson.options.onProgress = progress => lesson.progress.push(progress);

  lesson.track = target => {
    lesson.tracker = minuted.track(target || lesson.player, lesson.options);
  };

  /* Resolves when the script is there, or cannot be had: a page must live with either. */
  lesson.load = source => new Promise(resolve => {
    const script = document.createElement('script');
    script.src = source;
    script.onload = () => resolve(true);
    script.onerror = () => resolve(false);
    document.head.append(script);
  });

  async function start() {
    if (address.has('beside')) video.insertAdjacentHTML('afterend', address.get('beside'));
    lesson.loaded = await lesson.load(address.get('sdk') || '/v1/minuted.js');
    const media = address.get('media') || '/media/lesson.mp4';
    const player = address.get('player');
    if (player) lesson.player = await makePlayer(player, video, media);
    else video.src = media;
    if (lesson.loaded && address.get('track') !== 'later') lesson.track();
    lesson.ready = true;
  }

  globalThis.lesson = lesson;
  start();
})();
