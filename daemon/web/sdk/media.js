/*
 * The media element behind whatever a page calls its player, and what it does at this moment.
 */
import {attempt} from './page.js';

/* In XHTML names are in lower case, and may have a prefix. */
const isMedia = value => !!value && /^(\w+:)?(video|audio)$/i.test(value.nodeName);

/* Where players keep their element: properties (hls.js, xgplayer, ArtPlayer, DPlayer, Plyr …), then methods (Shaka, dash.js)
 * and elements that have it inside, which are either (video.js, xgplayer). */
const PROPERTIES = ['media', 'video', 'videoElement', 'audio'];
const METHODS = ['getMediaElement', 'getVideoElement', 'getMedia', 'el', 'root', 'container'];

/* The element of TARGET, or null while it has none: players get theirs when they are attached, and may change it; one that
 * is not attached yet may throw, as dash.js does. */
export function findMedia(target) {
  const properties = PROPERTIES.map(name => attempt(() => target[name]));
  const called = METHODS.map(name => attempt(() => (typeof target[name] === 'function' ? target[name]() : target[name])));
  const found = [target, ...properties, ...called];
  return found.find(isMedia) || found.map(one => attempt(() => one.querySelector('video, audio'))).find(isMedia) || null;
}

/* Rates are sent with three decimals, so that they are compared so. */
const rounded = rate => Math.round(rate * 1000) / 1000;

const HAVE_FUTURE_DATA = 3;

/* A catalog tells a lesson's length in whole seconds: what a file has beyond its last one would lie outside the lesson. */
const position = media => Math.max(0, Math.min(media.currentTime, Math.floor(media.duration) || Infinity)) * 1000;

/*
 * A sample for the recorder; JUMPED when the media's position was set since the last one. What the page wants of the element
 * decides whether it may play, and the position whether it does. No state of the element may deny what is seen to play:
 * WebKit keeps readyState at 2 while it plays on after a seek or at another rate.
 */
export function sampleMedia(media, now, jumped) {
  const rate = rounded(media.playbackRate);
  return {now, media: position(media), rate, playing: rate > 0 && !media.paused, jumped};
}

/* Whether the element says that it cannot go on: its position may stand still from here on. */
export const isBlocked = media => media.seeking || media.ended || media.readyState < HAVE_FUTURE_DATA;
