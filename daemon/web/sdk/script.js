/* The classic script: <script src="…/v1/minuted.js"></script> makes `minuted.track`. */
import {ofDocument} from './page.js';
import {createMinuted} from './track.js';

/* Only a script element has the address; there is none where the page runs this text by other means. */
window.minuted = createMinuted((ofDocument('currentScript') || {}).src);
