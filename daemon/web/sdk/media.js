/*
 * The media element behind whatever a page calls its player, and what it does at this moment.
 */
const isMedia = value => !!value && /^(VIDEO|AUDIO)$/.test(value.nodeName);

/* Where players keep their element: properties (hls.js, xgplayer, ArtPlayer, DPlayer, Plyr …), then methods (Shaka, dash.js). */
const PROPERTIES = ['media', 'video', 'videoElement', 'audio'];
const METHODS = ['getMediaElement', 'getVideoElement', 'getMedia'];
/* Elements that have it inside: video.js, xgplayer, and a plain container. */
const CONTAINERS = ['el', 'root', 'container'];

/* Null also for a player that is not attached yet and throws, as dash.js does. */
function ask(target, name, isMethod) {
  try {
    return isMethod && typeof target[name] === 'function' ? target[name]() : target[name];
  } catch (error) {
    return null;
  }
}

function inside(container) {
  return container && container.querySelector ? container.querySelector('video, audio') : null;
}

/* The element of TARGET, or null while it has none: players get theirs when they are attached, and may change it. */
export function findMedia(target) {
  if (isMedia(target)) return target;
  const own = [...PROPERTIES.map(name => ask(target, name, false)), ...METHODS.map(name => ask(target, name, true))];
  const containers = [target, ...CONTAINERS.map(name => ask(target, name, true))];
  return own.find(isMedia) || containers.map(inside).find(isMedia) || null;
}

/* Rates are sent with three decimals, so that they are compared so. */
const rounded = rate => Math.round(rate * 1000) / 1000;

const HAVE_FUTURE_DATA = 3;

/* A catalog tells a lesson's length in whole seconds: what a file has beyond its last one would lie outside the lesson. */
function position(media) {
  const end = Math.floor(media.duration);
  return Math.max(0, end > 0 && end < Infinity ? Math.min(media.currentTime, end) : media.currentTime) * 1000;
}

/* A sample for the recorder; JUMPED when the media's position was set since the last one. */
export function sampleMedia(media, now, jumped) {
  const rate = rounded(media.playbackRate);
  return {
    now,
    media: position(media),
    rate,
    playing: rate > 0 && !media.paused && !media.ended && !media.seeking && media.readyState >= HAVE_FUTURE_DATA,
    jumped: jumped || media.seeking,
  };
}
