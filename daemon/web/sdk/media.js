/*
 * Finds the media element behind whatever a page calls its player, and reads what the element does at this moment.
 */
import {attempt} from './page.js';

/* In XHTML, element names are in lower case and may have a prefix. */
const isMedia = value => !!value && /^(\w+:)?(video|audio)$/i.test(value.nodeName);

/* Players keep their media element in a property (hls.js, xgplayer, ArtPlayer, DPlayer, Plyr …), give it from a method (Shaka,
 * dash.js), or keep it inside another element, which in turn is a property or comes from a method (video.js, xgplayer). */
const PROPERTIES = ['media', 'video', 'videoElement', 'audio'];
const METHODS = ['getMediaElement', 'getVideoElement', 'getMedia', 'el', 'root', 'container'];

/* The media element of TARGET, or null while it has none. A player gets its element when it is attached to one, and may change
 * it later. A player that is not attached yet may throw, as dash.js does. */
export function findMedia(target) {
  const properties = PROPERTIES.map(name => attempt(() => target[name]));
  const called = METHODS.map(name => attempt(() => (typeof target[name] === 'function' ? target[name]() : target[name])));
  const found = [target, ...properties, ...called];
  return found.find(isMedia) || found.map(one => attempt(() => one.querySelector('video, audio'))).find(isMedia) || null;
}

/* Rates are compared with three decimals, because they are sent with three. */
const rounded = rate => Math.round(rate * 1000) / 1000;

const HAVE_FUTURE_DATA = 3;

/* Catalogs give a lesson's length in whole seconds, so the fraction at a film's end would lie outside the lesson. */
const position = media => Math.max(0, Math.min(media.currentTime, Math.floor(media.duration) || Infinity)) * 1000;

/*
 * A sample for the recorder. JUMPED says that the media's position was set since the last sample. `playing` says only that the
 * page lets the element play; whether it does play, the recorder sees by its position. The element's readyState is not asked,
 * because WebKit keeps it at 2 while it plays on after a seek or after a change of rate.
 */
export function sampleMedia(media, now, jumped) {
  const rate = rounded(media.playbackRate);
  return {now, media: position(media), rate, playing: rate > 0 && !media.paused, jumped};
}

/* Whether the element says that it cannot go on. Its position may stand still from here on. */
export const isBlocked = media => media.seeking || media.ended || media.readyState < HAVE_FUTURE_DATA;
