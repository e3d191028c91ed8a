/*
 * Players from npm, each made as its documentation says. What makePlayer() gives back goes to track() as it is: the
 * player's object, before it has loaded anything.
 */
const players = {
  hls: {
    scripts: ['hls'],
    make(video, media) {
      const player = new Hls();
      player.loadSource(media);
      player.attachMedia(video);
      return player;
    },
  },
  dash: {
    scripts: ['dashjs'],
    make(video, media) {
      const player = dashjs.MediaPlayer().create();
      player.initialize(video, media, false);
      return player;
    },
  },
  videojs: {
    scripts: ['video'],
    make(video, media) {
      const type = media.endsWith('m3u8') ? 'application/x-mpegURL' : 'video/mp4';
      return videojs(video, {sources: [{src: media, type}], controls: true});
    },
  },
  xgplayer: {
    scripts: ['xgplayer', 'xgplayer-hls'],
    make(video, media, box) {
      video.remove();
      return new Player({el: box, url: media, width: 320, height: 180, plugins: [HlsPlayer]});
    },
  },
  shaka: {
    scripts: ['shaka-player'],
    make(video, media) {
      const player = new shaka.Player();
      player.attach(video).then(() => player.load(media));
      return player;
    },
  },
  artplayer: {
    scripts: ['artplayer'],
    make(video, media, box) {
      video.remove();
      return new Artplayer({container: box, url: media});
    },
  },
  dplayer: {
    scripts: ['hls', 'dplayer'],
    make(video, media, box) {
      video.remove();
      return new DPlayer({container: box, video: {url: media, type: 'hls'}});
    },
  },
};

async function makePlayer(name, video, media) {
  const {scripts, make} = players[name];
  for (const script of scripts) await lesson.load(`/players/${script}.js`);
  return make(video, media, document.querySelector('#box'));
}
