/* The entry of the classic script. <script src="…/v1/minuted.js"></script> defines `minuted.track`. */
import {ofDocument} from './page.js';
import {createMinuted} from './track.js';

/* The script element knows the address. If the page runs this text by other means, there is no such element. */
window.minuted = createMinuted((ofDocument('currentScript') || {}).src);
