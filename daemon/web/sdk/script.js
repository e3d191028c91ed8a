/* The classic script: <script src="…/v1/minuted.js"></script> makes `minuted.track`. */
import {createMinuted} from './track.js';

window.minuted = createMinuted(document.currentScript ? document.currentScript.src : '');
