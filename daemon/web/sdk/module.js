/* The entry of the ES module. Pages write: import {track} from "…/v1/minuted.mjs". */
import {createMinuted} from './track.js';

export const {track} = createMinuted(import.meta.url);
